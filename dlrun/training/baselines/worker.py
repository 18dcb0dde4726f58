"""The process of the baselines, seen from the training process."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import IO, Any, Self

from dlrun.components.baselines import Baseline, BaselineError
from dlrun.training.baselines.pipe import Array, receive, send

LOOK = 0.1
"""Seconds between two looks whether a signal has come."""


class Stopped(BaseException):
    """A signal asked to skip the baselines."""


class Worker:
    """Fits baselines, one after the other, in a process that is ended when the time is over or a signal comes."""

    def __init__(self, stopped: Callable[[], bool]):
        self.stopped = stopped
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[tuple[dict[str, Any], list[Array]] | None] = queue.SimpleQueue()
        self._until = 0.0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def limit(self, seconds: float) -> None:
        """Allow this much time from now on; the start of the process is not counted."""
        self._start()
        self._seconds, self._until = seconds, time.monotonic() + seconds

    def fit(self, baseline: Baseline, blocks: Iterable[tuple[Array, Array]], classes: int | None, seed: int) -> Any:
        """Fit a baseline; returns its figures by name, and its remark.

        Raises:
            BaselineError: it failed, or took too long.
            Stopped: a signal came.
        """
        self._send({"fit": baseline.written(), "classes": classes, "seed": seed})
        for block in blocks:
            self._send({}, block)
        self._send({})
        content, _ = self._answer()
        return content["figures"], content["remark"]

    def predict(self, rows: Array) -> Array:
        """What the baseline that was fitted last predicts for rows.

        Raises:
            BaselineError: it failed, or took too long.
            Stopped: a signal came.
        """
        self._send({}, [rows])
        return self._answer()[1][0]

    def _start(self) -> None:
        if self._process is not None:
            return
        program = f"import sys; sys.path = {sys.path!r}; from dlrun.training.baselines.process import main; main()"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C does not reach it
                creationflags=0x200 if os.name == "nt" else 0,  # CREATE_NEW_PROCESS_GROUP
            )
        except OSError as error:
            raise BaselineError(f"its process cannot be started: {error.strerror}") from None
        self._answers = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._stream("stdout"), self._answers), daemon=True).start()

    def _send(self, content: dict[str, Any], arrays: Iterable[Array] = ()) -> None:
        self._look()
        try:
            send(self._stream("stdin"), content, list(arrays))
        except OSError:
            self._end()
            raise BaselineError("its process has died") from None

    def _answer(self) -> tuple[dict[str, Any], list[Array]]:
        while True:
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=LOOK)
                break
            self._look()
        if answer is None:
            self._end()
            raise BaselineError("its process has died; there may not be enough memory")
        if "error" in answer[0]:
            raise BaselineError(answer[0]["error"])
        return answer

    def _look(self) -> None:
        """End the process if a signal has come, or the time is over."""
        if self.stopped():
            self._end()
            raise Stopped
        if time.monotonic() > self._until:
            self._end()
            raise BaselineError(f"not done after {self._seconds:g} s; `seconds` is the limit")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()

    def _stream(self, name: str) -> IO[bytes]:
        stream = getattr(self._process, name)
        assert stream is not None
        return stream


def _read(stream: IO[bytes], answers: queue.SimpleQueue[Any]) -> None:
    """Put each answer into the queue, and None at the end."""
    with contextlib.suppress(OSError, ValueError), stream:
        while (answer := receive(stream)) is not None:
            answers.put(answer)
    answers.put(None)
