"""Writing files that survive a kill or a power cut; all that dlrun writes whole or not at all is written here.

What is written stays in memory until it is synced, a file's name until its folder is. So the order is always the same:
write beside, sync the file, rename, sync the folder; a reader sees the old file or the new one, and it is whole.

A folder may come from elsewhere, with links in it that lead to files of the user. So a folder is opened first, each
name is resolved in that open folder, and no name in it is followed if it is a link. Only the path of a folder of runs,
or of a run, may contain links: the user gives it.

All functions raise OSError where the system does; the callers turn it into an error message.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

Data = bytes | bytearray | memoryview
BINARY = getattr(os, "O_BINARY", 0)
NO_LINK, AT_ONCE, DIRECTORY = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY"))
HANDLES = os.open in os.supports_dir_fd
"""Whether names can be resolved in an open folder; not on Windows, where a path is tested for a link before its use."""
AT_A_TIME = 1 << 30
"""Bytes in one write; Linux takes 2 GiB at most."""


class _Folder:
    """An open folder. Its methods take names in it, and never follow a link."""

    def __init__(self, path: Path, handle: int | None):
        self.path, self.handle = path, handle

    def name(self, name: str) -> str | Path:
        """What the functions of `os` need for a name, with the folder's handle as `dir_fd`."""
        return self.path / name if self.handle is None else name

    def open(self, name: str, flags: int) -> int:
        if not NO_LINK and os.path.islink(self.path / name):
            raise OSError(errno.ELOOP, LINK)
        try:
            return os.open(self.name(name), flags | NO_LINK | BINARY, 0o666, dir_fd=self.handle)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):  # EMLINK on FreeBSD
                raise OSError(errno.ELOOP, LINK) from None
            raise

    def open_new(self, name: str) -> int:
        """A file that is new, whatever had this name: what a kill left, or a link to another file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            return self.open(name, flags)
        except FileExistsError:
            self.unlink(name)
            return self.open(name, flags)

    def is_folder(self, name: str) -> bool:
        return stat.S_ISDIR(os.lstat(self.name(name), dir_fd=self.handle).st_mode)

    def unlink(self, name: str) -> None:
        os.unlink(self.name(name), dir_fd=self.handle)

    def rename(self, old: str, new: str) -> None:
        os.rename(self.name(old), self.name(new), src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def sync(self) -> None:
        """Wait until the names in it are on the disk."""
        if self.handle is not None:  # on Windows renaming is durable enough
            os.fsync(self.handle)


LINK = "it is a link to another file; dlrun follows no link in the folder of a run"


@contextlib.contextmanager
def _open(path: Path, inner: bool = False, within: _Folder | None = None) -> Iterator[_Folder]:
    """Open a folder; `inner` says that it is part of a run, and so must be no link."""
    if not HANDLES:
        if inner and path.is_symlink():
            raise OSError(errno.ELOOP, LINK)
        yield _Folder(path, None)
        return
    try:
        handle = os.open(
            path if within is None else path.name,
            os.O_RDONLY | DIRECTORY | (NO_LINK if inner else 0),
            dir_fd=None if within is None else within.handle,
        )
    except OSError:
        if inner and path.is_symlink():  # the error for a link has another number on each system
            raise OSError(errno.ELOOP, LINK) from None
        raise
    try:
        yield _Folder(path, handle)
    finally:
        os.close(handle)


def open_in_place(path: Path, flags: int) -> int:
    """Open a file of a run to change it where it is; no link, symbolic or hard, to a file that may be the user's."""
    with _open(path.parent) as folder:
        descriptor = folder.open(path.name, flags | AT_ONCE)
    about = os.fstat(descriptor)
    if stat.S_ISREG(about.st_mode) and about.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.ELOOP, LINK if about.st_nlink > 1 else "it is not a regular file")


def read(path: Path) -> bytes:
    """The content of a regular file of a run; a link is not followed."""
    with _open(path.parent) as folder:
        descriptor = folder.open(path.name, os.O_RDONLY | AT_ONCE)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read()


def read_folder(path: Path) -> dict[str, bytes]:
    """The files of a folder that is part of a run, by name; no link is followed, and folders in it are left out."""
    found = {}
    with _open(path, inner=True) as folder:
        for name in sorted(os.listdir(folder.path if folder.handle is None else folder.handle)):
            if not stat.S_ISREG(os.lstat(folder.name(name), dir_fd=folder.handle).st_mode):
                continue
            with open(folder.open(name, os.O_RDONLY | AT_ONCE), "rb") as file:
                found[name] = file.read()
    return found


def append(descriptor: int, data: Data) -> None:
    """Write all of `data` at the end; it is not synced yet."""
    left = memoryview(data)
    while left:  # a disk that fills up may take only a part
        left = left[os.write(descriptor, left[:AT_A_TIME]) :]


def open_to_append(path: Path) -> int:
    """Open a file of a run for appending; it is made if there is none."""
    return open_in_place(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)


def sync(descriptor: int) -> None:
    """Wait until everything written is on the disk."""
    os.fsync(descriptor)


def overwrite(descriptor: int, data: Data) -> None:
    """Write all of `data` over the beginning of a file."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    append(descriptor, data)


def cut(descriptor: int, size: int) -> None:
    """Remove everything after the first `size` bytes, and write there next."""
    os.ftruncate(descriptor, size)
    os.lseek(descriptor, size, os.SEEK_SET)


@contextlib.contextmanager
def new_files(folder: Path) -> Iterator[Callable[[str], int]]:
    """Give a function that opens new files by their names, in a folder that no process reads yet.

    All are synced at the end, and the folder: that is faster than one by one.
    """
    with contextlib.ExitStack() as opened:
        place = opened.enter_context(_open(folder, inner=True))
        descriptors = []

        def new_file(name: str) -> int:
            descriptor = place.open_new(name)
            opened.callback(os.close, descriptor)
            descriptors.append(descriptor)
            return descriptor

        yield new_file
        for descriptor in descriptors:
            os.fsync(descriptor)
        place.sync()


def write_files(folder: Path, files: Iterable[tuple[str, Iterable[Data]]]) -> None:
    """Write new files, each given in blocks, into a folder that no process reads yet; then sync them and the folder.

    The next file is generated when the one before is written, so that only one is in memory.
    """
    with new_files(folder) as new_file:
        for name, blocks in files:
            descriptor = new_file(name)
            for block in blocks:
                append(descriptor, block)


def replace_file(path: Path, blocks: Iterable[Data], shared: bool = False) -> None:
    """Write a file, given in blocks, whole or not at all; what was there stays until the new one is on the disk.

    `shared` is for a file that two processes may write at the same time.
    """
    with _written_beside(path, blocks, shared) as (folder, beside):
        old, new = folder.name(beside), folder.name(path.name)
        os.replace(old, new, src_dir_fd=folder.handle, dst_dir_fd=folder.handle)


def create_file(path: Path, blocks: Iterable[Data]) -> None:
    """Write a file that is not there yet, whole or not at all; several processes may try.

    Raises:
        FileExistsError: there is a file of that name, or a link, wherever it leads.
    """
    with _written_beside(path, blocks, shared=True) as (folder, beside):
        old, new = folder.name(beside), folder.name(path.name)
        try:
            os.link(old, new, src_dir_fd=folder.handle, dst_dir_fd=folder.handle)
        except FileExistsError:
            raise
        except OSError as error:  # a file system without links
            if os.path.lexists(path):
                raise FileExistsError(path) from error
            os.replace(old, new, src_dir_fd=folder.handle, dst_dir_fd=folder.handle)
        else:
            folder.unlink(beside)


@contextlib.contextmanager
def _written_beside(path: Path, blocks: Iterable[Data], shared: bool) -> Iterator[tuple[_Folder, str]]:
    """The new content on the disk, under a hidden name that the caller takes away; it is removed if that fails."""
    # A fixed name lets the next write take over what a kill left.
    beside = f".{path.name}.{os.getpid()}.part" if shared else f".{path.name}.part"
    with _open(path.parent) as folder:
        try:
            descriptor = folder.open_new(beside)
            try:
                for block in blocks:
                    append(descriptor, block)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield folder, beside
        except BaseException:
            with contextlib.suppress(OSError, ValueError):
                folder.unlink(beside)
            raise
        folder.sync()


def make_folder(path: Path, inner: bool = False) -> None:
    """Make a folder where there is none yet; `inner` says that its parent is part of a run."""
    with _open(path.parent, inner) as folder:
        os.mkdir(folder.name(path.name), dir_fd=folder.handle)
        folder.sync()


def replace_folder(path: Path, files: Mapping[str, Data]) -> None:
    """Write a folder that is part of a run, with these files alone; readers see the old one, the new one, or none."""
    beside, away = f".{path.name}.part", f".{path.name}.old"
    with _open(path.parent) as folder:

        def clear(*names: str) -> None:
            for name in names:
                if os.path.lexists(folder.path / name):
                    _remove(folder, name)

        clear(beside, away)
        os.mkdir(folder.name(beside), dir_fd=folder.handle)
        write_files(path.parent / beside, ((name, [data]) for name, data in files.items()))
        if os.path.lexists(path):
            folder.rename(path.name, away)
        folder.rename(beside, path.name)
        folder.sync()
        clear(away)


def rename_folder(old: Path, new: Path) -> None:
    """Rename a part of a run within its parent; the new name must be free."""
    with _open(old.parent, inner=True) as folder:
        folder.rename(old.name, new.name)
        folder.sync()


def remove_folders(paths: Iterable[Path]) -> None:
    """Remove folders of one parent, which are parts of a run, with everything in them.

    Each gets a hidden name first, and that is synced: a folder that is half removed never has its own name.
    """
    named = list(paths)
    if not named:
        return
    with _open(named[0].parent, inner=True) as folder:
        hidden = []
        for path in named:
            name = path.name
            if not name.startswith("."):
                away = f".{name}.old"
                if os.path.lexists(folder.path / away):
                    _remove(folder, away)
                folder.rename(name, away)
                name = away
            hidden.append(name)
        folder.sync()
        for name in hidden:
            _remove(folder, name)


def _remove(folder: _Folder, name: str) -> None:
    """Remove an entry of a folder with everything in it; of a link, the link."""
    if not folder.is_folder(name):
        folder.unlink(name)
        return
    with _open(folder.path / name, inner=True, within=folder) as inner:
        for entry in os.listdir(inner.path if inner.handle is None else inner.handle):
            _remove(inner, entry)
    os.rmdir(folder.name(name), dir_fd=folder.handle)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    with _open(path) as folder:
        folder.sync()
