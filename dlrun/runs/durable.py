"""Writing files that survive a kill or a power cut; all that dlrun writes whole or not at all is written here.

What is written stays in memory until it is synced, a file's name until its folder is. So the order is always the same:
write beside, sync the file, rename, sync the folder; a reader sees the old file or the new one, and it is whole.

All functions raise OSError where the system does; the callers turn it into an error message.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

Data = bytes | bytearray | memoryview
BINARY = getattr(os, "O_BINARY", 0)
AT_A_TIME = 1 << 30
"""Bytes in one write; Linux takes 2 GiB at most."""


def append(descriptor: int, data: Data) -> None:
    """Write all of `data` at the end; it is not synced yet."""
    left = memoryview(data)
    while left:  # a disk that fills up may take only a part
        left = left[os.write(descriptor, left[:AT_A_TIME]) :]


def open_to_append(path: Path) -> int:
    """Open a file for appending; it is made if there is none."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | BINARY, 0o666)


def sync(descriptor: int) -> None:
    """Wait until everything written is on the disk."""
    os.fsync(descriptor)


def cut(descriptor: int, size: int) -> None:
    """Remove everything after the first `size` bytes."""
    os.ftruncate(descriptor, size)


def write_files(folder: Path, files: Iterable[tuple[str, Iterable[Data]]]) -> None:
    """Write new files, each given in blocks, into a folder that no process reads yet; then sync them and the folder.

    The next file is generated when the one before is written, so that only one is in memory. All are synced at the end,
    which is faster than one by one.
    """
    with contextlib.ExitStack() as opened:
        descriptors = []
        for name, blocks in files:
            descriptor = _open_new(folder / name)
            opened.callback(os.close, descriptor)
            descriptors.append(descriptor)
            for block in blocks:
                append(descriptor, block)
        for descriptor in descriptors:
            os.fsync(descriptor)
    sync_folder(folder)


def _open_new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o666)


def replace_file(path: Path, blocks: Iterable[Data], shared: bool = False) -> None:
    """Write a file, given in blocks, whole or not at all; what was there stays until the new one is on the disk.

    `shared` is for a file that two processes may write at the same time.
    """
    with _written_beside(path, blocks, shared) as beside:
        os.replace(beside, path)


def create_file(path: Path, blocks: Iterable[Data]) -> None:
    """Write a file that is not there yet, whole or not at all; several processes may try.

    Raises:
        FileExistsError: there is a file of that name, or a link, wherever it leads.
    """
    with _written_beside(path, blocks, shared=True) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            raise
        except OSError as error:  # a file system without links
            if os.path.lexists(path):
                raise FileExistsError(path) from error
            os.replace(beside, path)
        else:
            os.unlink(beside)


@contextlib.contextmanager
def _written_beside(path: Path, blocks: Iterable[Data], shared: bool) -> Iterator[Path]:
    """The new content on the disk, under a hidden name that the caller takes away; it is removed if that fails."""
    # A fixed name lets the next write take over what a kill left.
    beside = path.with_name(f".{path.name}.{os.getpid()}.part" if shared else f".{path.name}.part")
    try:
        descriptor = _open_new(beside)
        try:
            for block in blocks:
                append(descriptor, block)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield beside
    except BaseException:
        with contextlib.suppress(OSError, ValueError):
            os.unlink(beside)
        raise
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder where there is none yet."""
    os.mkdir(path)
    sync_folder(path.parent)


def rename_folder(old: Path, new: Path) -> None:
    """Rename a folder within its parent; the new name must be free."""
    os.rename(old, new)
    sync_folder(new.parent)


def remove_folders(paths: Iterable[Path]) -> None:
    """Remove folders of one parent with everything in them.

    Each gets a hidden name first, and that is synced: a folder that is half removed never has its own name.
    """
    hidden = []
    for path in paths:
        if not path.name.startswith("."):
            away = path.with_name(f".{path.name}.old")
            if away.exists():
                _remove(away)
            os.rename(path, away)
            path = away
        hidden.append(path)
    if hidden:
        sync_folder(hidden[0].parent)
    for path in hidden:
        _remove(path)


def _remove(path: Path) -> None:
    for entry in list(os.scandir(path)):
        if entry.is_dir(follow_symlinks=False):
            _remove(Path(entry.path))
        else:
            os.unlink(entry.path)
    os.rmdir(path)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name == "nt":  # a folder cannot be opened there; renaming is durable enough
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
