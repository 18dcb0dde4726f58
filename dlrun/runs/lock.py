"""Locks between processes: one process trains a run, one process delivers it, one process makes a store.

A lock belongs to an open file. The system releases it when its holder dies, however that happens.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlrun.errors import RunError
from dlrun.runs import durable

NAME = "lock"
"""The lock file of a run, in its folder."""
MAX_WAIT = 0.5
"""Seconds to wait for the lock of a run: a process that only tests it holds it for a moment."""
PAUSE = 0.01
"""Seconds between two attempts."""

if sys.platform == "win32":
    import msvcrt

    BEYOND = 1 << 20
    """The byte that is locked there, past all that is written: no other process can read a locked byte."""

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_held: set[int] = set()
"""The open lock files of this process."""


def _close_all() -> None:
    # A lock is held until the last process that has its file open is gone. A child may outlive a killed run.
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)


def _open(path: Path) -> int:
    """A lock file, which is made where there is none. It is not locked yet."""
    descriptor = durable.open_in_place(path, os.O_RDWR | os.O_CREAT)
    _held.add(descriptor)
    return descriptor


def _close(descriptor: int) -> None:
    """Release the lock; nothing happens in a child that was forked meanwhile."""
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def _lock(descriptor: int, seconds: float) -> bool:
    """Whether the lock was taken within some seconds."""
    until = time.monotonic() + seconds
    while not _try_lock(descriptor):
        if time.monotonic() >= until:
            return False
        time.sleep(PAUSE)
    return True


@contextmanager
def lock_beside(file: Path, wait: bool = True) -> Iterator[bool]:
    """Let one process at a time work on a file; yields whether this process may, which is always so if it waits.

    The lock file is beside the file. Where it cannot be made, no process can write there, and no lock is needed.
    """
    try:
        descriptor = _open(file.with_name(f".{file.name}.lock"))
    except OSError:
        yield True
        return
    try:
        yield _lock(descriptor, math.inf if wait else 0)
    finally:
        _close(descriptor)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder.

    Raises:
        RunError: another process holds it, or its file cannot be made.
    """
    path = folder / NAME
    try:
        descriptor = _open(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    try:
        if not _lock_run(descriptor, path, MAX_WAIT):
            raise RunError(f"the run {folder.name} is being trained by {_holder(descriptor)}")
        with contextlib.suppress(OSError):  # on a full disk the lock holds, but names no holder
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        _close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether a living process trains the run in a folder."""
    path = folder / NAME
    try:
        try:
            descriptor = durable.open_in_place(path, os.O_RDWR)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            descriptor = durable.open_in_place(path, os.O_RDONLY)  # such as a run on a medium that is read-only
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    try:
        return not _lock_run(descriptor, path, 0)
    finally:
        os.close(descriptor)


def _lock_run(descriptor: int, path: Path, seconds: float) -> bool:
    try:
        return _lock(descriptor, seconds)
    except OSError as error:
        raise RunError(f"cannot lock {path}: {error.strerror}") from None


def _holder(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        holder = json.loads(os.read(descriptor, 4096))
        where = "" if holder["host"] == socket.gethostname() else f" on {holder['host']}"
        return f"process {int(holder['pid'])}{where}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
