"""Arrays on the disk that are made once of files, and found again by a hash of the files and of how they are made.

`cached` gives an array: from the cache where it is there, otherwise made, written and then read back. An entry is a
folder named after its key, with `values.npy` and `about.json`, which has the array's size and SHA-256. It is written
beside under a hidden name, synced and renamed, so that an entry is whole or not there. One whose file has another size
than `about.json` says is made again. The folder may be removed at any time when no process makes or reads an array.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import LocatedError
from dlrun.runs import checksummed_json, durable
from dlrun.runs.lock import lock_beside
from dlrun.shapes import Shape, numel, readable_bytes
from dlrun.stored import StoredArray

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

VARIABLE = "DLRUN_CACHE"
"""The environment variable that names the cache's folder."""
VALUES, ABOUT = "values.npy", "about.json"

Watch = Callable[[str, float], None]
"""What is called while an array is made: with what is done, in words, and the share of it that is done, 0 to 1."""

_watch: ContextVar[Watch] = ContextVar("watch", default=lambda what, share: None)


class CacheError(LocatedError):
    """The cache cannot be written or read."""


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """An array of the cache."""

    values: StoredArray
    digest: str
    """SHA-256 over its type, shape and bytes, as `digest_of` gives it."""


def folder() -> Path:
    """Where the cache is: `$DLRUN_CACHE`, else `$XDG_CACHE_HOME/dlrun`, else `~/.cache/dlrun`."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117  # as the XDG specification says
        base = Path.home() / ".cache"
    return (Path(base) / "dlrun").resolve()


def key(kind: str, recipe: Mapping[str, Any], files: Iterable[tuple[str, str]]) -> str:
    """The name of an entry.

    Args:
        kind: what sort of array it is, a word.
        recipe: all that decides how the array is made of the files: settings, and the versions of the code.
        files: the path of each file in their common folder, and its `dlrun.stored.stamp`.
    """
    digest = hashlib.sha256(repr(sorted(recipe.items())).encode())
    listed = "".join(f"\0{path}\0{state}" for path, state in files)
    digest.update(listed.encode("utf-8", "surrogateescape"))
    return f"{kind}-{digest.hexdigest()[:40]}"


@contextlib.contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Let a function know of the arrays that are made in the block."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def report(what: str, share: float) -> None:
    """Say how much of an array is made."""
    _watch.get()(what, share)


def digest_of(dtype: str, shape: Shape) -> Any:
    """The beginning of an array's digest, which takes its bytes next; `dtype` is as numpy writes it, ``|u1``."""
    return hashlib.sha256(f"{dtype} {tuple(shape)};".encode())


def cached(name: str, what: str, dtype: str, shape: Shape, make: Callable[[], Generator[bytes]]) -> Cached:
    """An array of the cache; it is made where it is not there.

    Of processes that need the same array at the same time, one makes it, and the others wait for that.

    Args:
        name: the entry's: see `key`.
        what: what the array holds, in words.
        dtype: its type as numpy writes it, ``|u1``.
        shape: of the whole array.
        make: gives the array's bytes, in blocks, in the order of C; it is closed where the rest is not needed.

    Raises:
        CacheError: there is no room for it, or the folder cannot be written.
    """
    try:
        home = folder() / name
        if found := _found(home, dtype, shape):
            return found
        home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(home, what):
            if found := _found(home, dtype, shape):
                return found
            _make(home, what, dtype, shape, make)
        if found := _found(home, dtype, shape):
            return found
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        message = f"the cache cannot be written, for {what}: {why}"
        with contextlib.suppress(RuntimeError):
            message = f"the cache {folder()} cannot be written, for {what}: {why}"
        raise CacheError(message, f"set {VARIABLE} to a folder with room, or make room there") from None
    raise CacheError(f"the cache {home.parent} changes while it is used", "let no other program write there")


def recall(kind: str, of: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `remember` keeps of something; None where it keeps nothing."""
    try:
        return checksummed_json.verified(durable.read(_fact(kind, of)))["known"]
    except (OSError, RuntimeError, ValueError, KeyError):
        return None


def remember(kind: str, of: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Keep what is known of something, JSON; where the cache cannot be written, nothing is kept.

    Args:
        kind: what sort of knowledge it is, a word.
        of: all that identifies what it is about, such as a file and its state.
        known: what is known.
    """
    with contextlib.suppress(OSError, RuntimeError):
        file = _fact(kind, of)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace_file(file, [checksummed_json.with_checksum({"of": dict(of), "known": dict(known)})])


def _fact(kind: str, of: Mapping[str, Any]) -> Path:
    return folder() / f"{key(kind, of, ())}.json"


@contextlib.contextmanager
def _alone(home: Path, what: str) -> Iterator[None]:
    """Work on an entry as the only process."""
    with lock_beside(home, wait=False) as first:
        if first:
            yield
            return
    waiting = f"waiting for another process, which prepares {what}"
    report(waiting, 0)
    with lock_beside(home):
        report(waiting, 1)
        yield


def _found(home: Path, dtype: str, shape: Shape) -> Cached | None:
    """The array of an entry; None where there is none, or it is not whole."""
    from numpy.lib import format as npy

    try:
        about = checksummed_json.verified(durable.read(home / ABOUT))
        file = home / VALUES
        if (about["dtype"], about["shape"]) != (dtype, list(shape)) or file.stat().st_size != about["bytes"]:
            return None
        values = npy.open_memmap(file, mode="r")
        if (values.dtype.str, values.shape) != (dtype, shape):
            return None
        return Cached(StoredArray(file, values.offset, values.shape, values.dtype), about["sha256"])
    except (OSError, ValueError, KeyError):
        return None


def _make(home: Path, what: str, dtype: str, shape: Shape, make: Callable[[], Generator[bytes]]) -> None:
    import numpy as np
    from numpy.lib import format as npy

    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": tuple(shape)})
    size = len(header.getvalue()) + numel(shape) * np.dtype(dtype).itemsize
    if (free := shutil.disk_usage(home.parent).free) < size:
        message = (
            f"the cache {home.parent} has {readable_bytes(free)} free, and needs {readable_bytes(size)} for {what}"
        )
        raise CacheError(message, f"set {VARIABLE} to a folder with room, or make room there")
    digest = digest_of(dtype, shape)

    def values() -> Iterator[bytes]:
        yield header.getvalue()
        for block in blocks:
            digest.update(block)
            yield block

    def about() -> Iterator[bytes]:
        content = {"of": what, "dtype": dtype, "shape": shape, "bytes": size, "sha256": digest.hexdigest()}
        yield checksummed_json.with_checksum(content)

    part = home.with_name(f".{home.name}.part")
    try:
        durable.remove_folders(path for path in (part, home) if os.path.lexists(path))  # what a kill or damage left
        durable.make_folder(part)
        with contextlib.closing(make()) as blocks:  # whatever it has started ends with it
            durable.write_files(part, [(VALUES, values()), (ABOUT, about())])
        durable.rename_folder(part, home)
    except BaseException:
        with contextlib.suppress(OSError):
            durable.remove_folders([part])
        raise
