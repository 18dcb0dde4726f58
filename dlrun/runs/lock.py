"""One process trains a run: its folder is locked for as long as that process lives, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlrun.errors import RunError

NAME = "lock"
PATIENCE = 0.5
"""Seconds in which a lock that is taken may become free: somebody who only looks has it for a moment."""

if sys.platform == "win32":
    import msvcrt

    BEYOND = 1 << 20
    """The byte that is locked there, past all that is written: nobody else can read a locked byte."""

    def _take(descriptor: int) -> bool:
        os.lseek(descriptor, BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_held: set[int] = set()


def _let_go() -> None:
    # A lock is held until all who have its file open are gone; a child that outlives a killed run must not have it.
    while _held:
        with contextlib.suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder.

    Raises:
        RunError: another process holds it, or there can be none.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(f"cannot write {folder / NAME}: {error.strerror}") from None
    _held.add(descriptor)
    try:
        _wait_for(descriptor, folder)
        with contextlib.suppress(OSError):  # on a full disk it is locked all the same, and nobody learns by whom
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        if descriptor in _held:  # not in a child that was forked meanwhile
            _held.discard(descriptor)
            os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether a living process trains the run in a folder."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(f"cannot read {folder / NAME}: {error.strerror}") from None
    try:
        return not _taken(descriptor, folder)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, folder: Path) -> bool:
    try:
        return _take(descriptor)
    except OSError as error:
        raise RunError(f"cannot lock {folder / NAME}: {error.strerror}") from None


def _wait_for(descriptor: int, folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not _taken(descriptor, folder):
        if time.monotonic() > until:
            raise RunError(f"the run {folder.name} is being trained by {_holder(descriptor)}")
        time.sleep(0.01)


def _holder(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        holder = json.loads(os.read(descriptor, 4096))
        where = "" if holder["host"] == socket.gethostname() else f" on {holder['host']}"
        return f"process {int(holder['pid'])}{where}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
