"""Many images into bytes, in order: by processes of their own where that is quicker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue

from dlrun.components.sources import _pixels
from dlrun.components.sources._pixels import Rule, decode

AT_A_TIME = 64
"""How many images are decoded for one answer, and at least so many bytes."""
MOST_BYTES = 1 << 24
"""About the most bytes of an answer."""
FEW = 256
"""So many images are decoded here: a process takes as long to start."""

Decoded = tuple[list[str | None], bytes]
"""For each image why it cannot be used, or None; and the bytes of the others."""


class DecodingError(Exception):
    """A process that decodes ended by itself."""


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decoded(paths: Sequence[str], rule: Rule, processes: int | None = None) -> Generator[Decoded]:
    """Decode images in order, some at a time.

    Args:
        paths: of the files.
        rule: what every image becomes.
        processes: how many decode; by default as many as there are processors, and none of their own for a few images.

    Raises:
        DecodingError: a process was ended, such as by a lack of memory.
    """
    size = max(1, min(AT_A_TIME, MOST_BYTES // rule.bytes))
    parts = [list(paths[start : start + size]) for start in range(0, len(paths), size)]
    if processes is None:
        processes = 0 if len(paths) <= FEW else processors()
    if not processes:
        for part in parts:
            yield decode(part, rule)
        return
    with ExitStack() as ended:
        pool = ended.enter_context(ThreadPoolExecutor(processes))
        free: SimpleQueue[_Process] = SimpleQueue()
        for _ in range(min(processes, len(parts))):
            free.put(ended.enter_context(_Process(rule)))  # ended before the pool, whose threads wait for them

        def work(part: list[str]) -> Decoded:
            process = free.get()
            try:
                return process.decode(part)
            finally:
                free.put(process)

        waiting: deque[Future[Decoded]] = deque()
        ended.callback(lambda: [one.cancel() for one in waiting])
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > 2 * processes:  # so that memory holds a few answers, however slow the disk is
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Process:
    """A process that decodes."""

    def __init__(self, rule: Rule):
        # -P: the folder of the program has a `csv.py`, which is not Python's.
        command = [sys.executable, "-P", _pixels.__file__]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._send(rule._asdict())

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with suppress(OSError, ValueError):  # a thread may be reading still
            self.process.communicate()

    def decode(self, paths: list[str]) -> Decoded:
        """Decode some images.

        Raises:
            DecodingError: the process ended.
        """
        assert self.process.stdout is not None
        try:
            self._send(paths)
            errors, length = json.loads(self.process.stdout.readline())
            found = self.process.stdout.read(length)
            if len(found) == length:
                return errors, found
        except (OSError, ValueError):
            pass
        what = f"a process that decodes images ended before its time, at one of {len(paths)} from {paths[0]} on"
        raise DecodingError(what)

    def _send(self, content: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(content).encode() + b"\n")
        self.process.stdin.flush()
