"""Arrays on the disk that are made once of files, and found again by a hash of the files and of how they are made.

`entry` gives arrays that belong together: from the cache where they are there, otherwise made, written and then read
back. An entry is a folder named after its key, with a file of numpy's format for each array and `about.json`, which has
the size and the SHA-256 of each. It is written beside under a hidden name, synced and renamed, so that it is whole or
not there. One with a file of another size than `about.json` says is made again. When something new is made, what was
not used for 90 days is removed, and where the cache would take more than half of the room that there is for it, what
was used longest ago. The folder may be removed at any time when no process makes or reads an array.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
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
ABOUT = "about.json"
UNUSED_DAYS = 90
"""Days after which what was not used is removed."""

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
    """SHA-256 over its bytes, type and shape, as `finished` gives it."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Arrays that were made together."""

    name: str
    arrays: Mapping[str, Cached]
    known: Mapping[str, Any]
    """What else was found while they were made, as JSON has it."""


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


def finished(sha: Any, dtype: str, shape: Shape) -> str:
    """An array's digest, from the SHA-256 over its bytes; its shape comes last, as it may not be known before. `dtype`
    is as numpy writes it, ``|u1``."""
    sha.update(f";{dtype} {tuple(shape)}".encode())
    return sha.hexdigest()


class _WriteError(Exception):
    """The system does not take what is written."""

    def __init__(self, error: OSError):
        super().__init__(str(error))
        self.error = error


class Writer:
    """Writes the arrays of an entry, some rows at a time."""

    def __init__(self, new_file: Callable[[str], int]):
        self._new_file = new_file
        self._open: dict[str, _Growing] = {}

    def add(self, name: str, rows: Array) -> None:
        """Add rows to an array; the first ones decide its type and the shape of a row."""
        if name not in self._open:
            self._open[name] = _Growing(self._new_file(f"{name}.npy"), rows.dtype.str, rows.shape[1:])
        self._open[name].add(rows)

    def clear(self) -> None:
        """Begin again: forget all rows."""
        for one in self._open.values():
            one.clear()

    def finish(self) -> dict[str, Any]:
        """Write what each array is at its beginning, and return it."""
        return {name: one.finish() for name, one in self._open.items()}


class _Growing:
    """A file of numpy's format to which rows are added; the space for its header does not depend on their number."""

    def __init__(self, file: int, dtype: str, row: Shape):
        self.file, self.dtype, self.row = file, dtype, row
        self.clear()

    def clear(self) -> None:
        self.rows, self.sha = 0, hashlib.sha256()
        durable.cut(self.file, 0)
        durable.append(self.file, self._header())

    def add(self, rows: Array) -> None:
        import numpy as np

        block = np.ascontiguousarray(rows).reshape(-1).view("u1").data
        self.sha.update(block)
        try:
            durable.append(self.file, block)
        except OSError as error:  # the code that makes the rows has errors of its own, of the files that it reads
            raise _WriteError(error) from None
        self.rows += len(rows)

    def finish(self) -> dict[str, Any]:
        import numpy as np

        shape = (self.rows, *self.row)
        header = self._header()
        durable.overwrite(self.file, header)
        size = len(header) + numel(shape) * np.dtype(self.dtype).itemsize
        return {"dtype": self.dtype, "shape": shape, "bytes": size, "sha256": finished(self.sha, self.dtype, shape)}

    def _header(self) -> bytes:
        from numpy.lib import format as npy

        header = io.BytesIO()
        shape = (self.rows, *self.row)
        npy.write_array_header_1_0(header, {"descr": self.dtype, "fortran_order": False, "shape": shape})
        return header.getvalue()


def entry(name: str, what: str, size: int, make: Callable[[Writer], Mapping[str, Any]]) -> Entry:
    """An entry of the cache; it is made where it is not there.

    Of processes that need the same entry at the same time, one makes it, and the others wait for that.

    Args:
        name: the entry's: see `key`.
        what: what it holds, in words.
        size: about how many bytes its arrays have.
        make: writes the arrays, and returns what else is known, as JSON has it.

    Raises:
        CacheError: there is no room for it, or the folder cannot be written.
    """
    try:
        home = folder() / name
        if found := _found(home):
            return found
        home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(home, what):
            if found := _found(home):
                return found
            _make_room(home.parent, size)
            _make(home, what, size, make)
        if found := _found(home):
            return found
    except (OSError, RuntimeError, _WriteError) as failure:  # RuntimeError: there is no home folder
        error = failure.error if isinstance(failure, _WriteError) else failure
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        message = f"the cache cannot be written, for {what}: {why}"
        with contextlib.suppress(RuntimeError):
            message = f"the cache {folder()} cannot be written, for {what}: {why}"
        raise CacheError(message, f"set {VARIABLE} to a folder with room, or make room there") from None
    raise CacheError(f"the cache {home.parent} changes while it is used", "let no other program write there")


def recall(kind: str, of: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `remember` keeps of something; None where it keeps nothing."""
    try:
        file = _fact(kind, of)
        known = checksummed_json.verified(durable.read(file))["known"]
        _mark_used(file)
        return known
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


def _found(home: Path) -> Entry | None:
    """An entry; None where there is none, or it is not whole."""
    from numpy.lib import format as npy

    try:
        about = checksummed_json.verified(durable.read(home / ABOUT))
        arrays = {}
        for name, array in about["arrays"].items():
            file = home / f"{name}.npy"
            if file.stat().st_size != array["bytes"]:
                return None
            values = npy.open_memmap(file, mode="r")
            if (values.dtype.str, list(values.shape)) != (array["dtype"], array["shape"]):
                return None
            stored = StoredArray(file, values.offset, values.shape, values.dtype)
            arrays[name] = Cached(stored, array["sha256"])
        _mark_used(home / ABOUT)
        return Entry(home.name, arrays, about["known"])
    except (OSError, ValueError, KeyError):
        return None


def _mark_used(path: Path) -> None:
    """Give a file the time of now, from which `_make_room` counts; a cache that cannot be written keeps its own."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _make_room(home: Path, size: int) -> None:
    """Remove what was not used for many days; then, so that the cache takes at most half of the room that there is for
    it with so many bytes more, what was used longest ago, but nothing of the last hour."""
    found = []
    for path in home.iterdir():
        if path.name.startswith("."):  # a lock, or what is being made
            continue
        with contextlib.suppress(OSError):
            files = list(path.iterdir()) if path.is_dir() else [path]
            used = (path / ABOUT if path.is_dir() else path).stat().st_mtime
            found.append((used, sum(file.stat().st_size for file in files), path))
    now, left = time.time(), sum(taken for _, taken, _ in found)
    most = (shutil.disk_usage(home).free + left) // 2
    for used, taken, path in sorted(found):
        days, full = (now - used) / 86400, left + size > most
        if days > UNUSED_DAYS or (full and days > 1 / 24):
            left -= taken
            with contextlib.suppress(OSError):
                if path.is_dir():
                    durable.remove_folders([path])
                else:
                    path.unlink()


def _make(home: Path, what: str, size: int, make: Callable[[Writer], Mapping[str, Any]]) -> None:
    if (free := shutil.disk_usage(home.parent).free) < size:
        message = (
            f"the cache {home.parent} has {readable_bytes(free)} free, and needs {readable_bytes(size)} for {what}"
        )
        raise CacheError(message, f"set {VARIABLE} to a folder with room, or make room there")
    part = home.with_name(f".{home.name}.part")
    try:
        durable.remove_folders(path for path in (part, home) if os.path.lexists(path))  # what a kill or damage left
        durable.make_folder(part)
        with durable.new_files(part) as new_file:
            writer = Writer(new_file)
            known = make(writer)
            content = {"of": what, "arrays": writer.finish(), "known": dict(known)}
            durable.append(new_file(ABOUT), checksummed_json.with_checksum(content))
        durable.rename_folder(part, home)
    except BaseException:
        with contextlib.suppress(OSError):
            durable.remove_folders([part])
        raise
