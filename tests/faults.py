"""Faults at the k-th durable operation of a process.

    python tests/faults.py MODE K -- train spec.yaml ...

runs `dlrun train spec.yaml ...`, with the `os` that `dlrun.runs.durable` knows replaced by one that counts:

    count     no fault; the last line on stderr is the number of operations
    trace     as count, with a line for each
    kill      SIGKILL in place of operation K (from 1)
    torn      as kill, but half of what operation K writes is written first
    enospc    the disk is full from operation K on: operations that need room fail; removing and syncing do not
    eio       only operation K fails

Operations of torch, MLflow or pytest do not count, nor do those of other processes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COUNTED = ("open", "write", "fsync", "ftruncate", "replace", "rename", "mkdir", "unlink", "rmdir")
NEED_ROOM = ("open", "write", "replace", "rename", "mkdir")
MODES = ("count", "trace", "kill", "torn", "enospc", "eio")


class FaultyOs:
    """The module `os`, except that operations which change files are counted, and fail by the mode.

    Opening a file counts only if it may make one.
    """

    def __init__(self, mode: str, at: int = 0):
        assert mode in MODES, mode
        self.mode = mode
        self.at = at
        self.count = 0
        self.names: list[str] = []
        """The counted operations, in order."""
        self.calls: list[tuple[str, str]] = []
        """The same with the target of each, digits as #; only for `count`."""
        self._mutex = threading.Lock()
        for name in COUNTED:
            setattr(self, name, self._counted(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _counted(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name != "open" or args[1] & os.O_CREAT:
                self._count(name, args, kwargs.get("dir_fd", kwargs.get("src_dir_fd")))
            return getattr(os, name)(*args, **kwargs)

        return call

    def _count(self, name: str, args: tuple[Any, ...], folder: int | None) -> None:
        with self._mutex:
            self.count += 1
            self.names.append(name)
            number = self.count
        if self.mode == "count":
            self.calls.append((name, _target(args[0], folder)))
        elif self.mode == "trace":
            about = [str(arg) if not isinstance(arg, bytes | memoryview) else f"{len(arg)} bytes" for arg in args]
            sys.stderr.write(f"{number} {name} {' '.join(about)}\n")
        elif self.mode == "enospc" and number >= self.at and name in NEED_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif self.mode == "eio" and number == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        elif self.mode in ("kill", "torn") and number == self.at:
            if self.mode == "torn" and name == "write":
                os.write(args[0], memoryview(args[1])[: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)


def _target(target: Any, folder: int | None) -> str:
    path = _path_of(target) if isinstance(target, int) else Path(target)
    if folder is not None:
        path = _path_of(folder) / path
    return re.sub(r"\d+", "#", "/".join(path.parts[-2:]))


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


@contextlib.contextmanager
def faults(mode: str, at: int = 0) -> Iterator[FaultyOs]:
    """Make `dlrun.runs.durable` fail."""
    from dlrun.runs import durable

    faulty = FaultyOs(mode, at)
    durable.os = faulty  # type: ignore[assignment]
    try:
        yield faulty
    finally:
        durable.os = os


def in_child(act: Callable[[], object], mode: str, at: int = 0) -> bool:
    """Run `act` in a fork of this process with a fault; returns whether it finished, False if it was killed."""
    with warnings.catch_warnings():  # torch has threads; the child uses none
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        status = 1
        try:
            with faults(mode, at):
                act()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed by itself"
    return True


def main() -> None:
    mode, at, dashes, *arguments = sys.argv[1:]
    assert dashes == "--", __doc__
    sys.argv = [str(Path(sys.argv[0]).with_name("dlrun")), *arguments]
    from dlrun.__main__ import main as dlrun

    with faults(mode, int(at)) as faulty:
        try:
            dlrun()
        finally:
            if mode in ("count", "trace"):
                sys.stderr.write(f"{faulty.count}\n")


if __name__ == "__main__":
    main()
