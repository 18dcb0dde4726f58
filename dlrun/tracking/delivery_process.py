"""The process that delivers a run while it trains, by following the journal.

The training process starts it (mlflow_tracking.py) and writes three lines of JSON to its input: first the store, so
that MLflow is loaded before there is a run; then the run's folder; then the end. The answer is one line. If the input
closes without an end, or the training process is gone, that process was killed, and the run is delivered as KILLED.
However bad the store is, this process lives only for a bounded time after the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dlrun.errors import RunError, without_password
from dlrun.runs import folder as run_folder
from dlrun.runs.info import Status
from dlrun.runs.lock import is_locked, lock_beside
from dlrun.runs.run_json import RUNNING, ClosedRun, closed_run, read_run
from dlrun.tracking.delivery import Delivery, reason
from dlrun.tracking.delivery_state import NAME, recall
from dlrun.tracking.mlflow_run import client_of
from dlrun.tracking.store import address

INTERVAL = 1.0
"""Seconds between two reads of the journal. Sending uses the processor that training needs."""
MAX_PAUSE = 30.0
"""Seconds between two attempts while a server cannot be reached."""
LOCK_RELEASE = 1.0
"""Seconds until the system has released the lock of a killed process."""
NICENESS = 5


@dataclass(frozen=True, slots=True)
class End:
    """The end of a run, as the training process reports it."""

    status: Status
    time: int
    """Milliseconds since 1970."""
    timeout: float
    """Seconds that the training process waits for an answer."""


class Trainer:
    """The training process, seen from this one: a thread reads its messages."""

    def __init__(self, lines: IO[bytes], output: int):
        self.folder: Path | None = None
        self.end: End | None = None
        self.delivery: Delivery | None = None
        """The delivery that the answer reports."""
        self._lines = lines
        self._output = output
        self._answering = threading.Lock()
        first = json.loads(lines.readline())
        self.uri: str = first["store"]
        self._process: int = first["process"]
        self._is_parent = os.getppid() == self._process
        self._grace: float = first["grace"]
        self._begun = threading.Event()
        self._over = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            for line in self._lines:
                message: dict[str, Any] = json.loads(line)
                if "folder" in message:
                    self.folder = Path(message["folder"])
                    self._begun.set()
                else:
                    self.end = End(**message)
                    break
        self._is_over()
        if self.end is not None:
            time.sleep(self.end.timeout)
            self.answer(f"not done after {self.end.timeout:g} s")
            os._exit(0)

    def _is_over(self) -> None:
        self._begun.set()
        self._over.set()
        if self.end is None:  # no process waits for an answer, but this one must end
            limit = threading.Timer(self._grace, os._exit, (1,))
            limit.daemon = True
            limit.start()

    def wait_for_a_run(self) -> Path | None:
        """Wait for a run and return its folder; None if training ended before."""
        while not self._begun.wait(INTERVAL):
            self.is_over()
        return self.folder

    def is_over(self, wait: float = 0.0) -> bool:
        """Whether training has ended; waits for that for at most `wait` seconds."""
        until = time.monotonic() + wait
        while not self._over.wait(min(max(until - time.monotonic(), 0.0), INTERVAL)):
            # The input stays open while a child of the training process lives, even if that process is gone.
            if self._is_gone():
                self._is_over()
            elif time.monotonic() >= until:
                return False
        return True

    def _is_gone(self) -> bool:
        if self._is_parent:
            return os.getppid() != self._process
        if sys.platform == "win32":
            return False
        try:  # it ended before this process started, or another program is in between
            os.kill(self._process, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    def was_killed(self) -> bool:
        """Whether it ended without reporting an end."""
        return self._over.is_set() and self.end is None

    def answer(self, trouble: str = "") -> None:
        """Report, once, what could not be delivered and where the run is."""
        self._answering.acquire()  # a second caller waits until the process exits
        if self.delivery is not None:
            missing = self.delivery.report(trouble)
        else:
            missing = trouble and f"MLflow at {without_password(self.uri)} has nothing of this run: {trouble}"
        page = self.delivery.page if self.delivery else ""
        line = json.dumps({"missing": missing, "page": page}) + "\n"
        with contextlib.suppress(OSError):  # the training process may be gone
            os.write(self._output, line.encode())


def main() -> None:
    """Deliver a run for the process at the other end of the standard streams."""
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # MLflow sometimes prints
    trainer = Trainer(sys.stdin.buffer, output)
    trouble = ""
    try:
        deliver(trainer)
    except BaseException as error:
        trouble = reason(error)
    trainer.answer(trouble)
    os._exit(0)  # threads of MLflow may hang


def _lower_priority() -> None:
    """Give training priority; called once MLflow is loaded, because a short run has to wait for that."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):  # with autogroups, nice only orders the processes of one session
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def deliver(trainer: Trainer) -> None:
    """Deliver a run while it trains, and the runs beside it whose delivery was interrupted."""
    with contextlib.suppress(Exception):  # an error here comes again when the run is sent
        client_of(trainer.uri).search_experiments(max_results=1)
    _lower_priority()
    folder = trainer.wait_for_a_run()
    if folder is None:
        return
    with lock_beside(folder / NAME):  # the process of the run before a resume may still be delivering
        delivery = Delivery(folder, trainer.uri, stop=lambda: trainer.was_killed() and is_locked(folder))
        trainer.delivery = delivery
        _follow(delivery, trainer)
        if trainer.end is not None:
            delivery.finish(trainer.end.status, trainer.end.time)
        elif run := _after_a_kill(folder):
            delivery.finish(run.status, run.ended)


def _follow(delivery: Delivery, trainer: Trainer) -> None:
    pause, looked = 0.0, False
    while not trainer.is_over(pause):
        if not delivery.attempt():
            pause = min(max(2 * pause, INTERVAL), MAX_PAUSE)
            continue
        pause = INTERVAL
        if not looked:
            looked = True
            deliver_others(delivery.folder, trainer)


def _after_a_kill(folder: Path) -> ClosedRun | None:
    """A killed run and its final status; None if another process resumes it."""
    until = time.monotonic() + LOCK_RELEASE
    while (run := closed_run(folder)) is None and time.monotonic() < until:
        time.sleep(0.05)
    return run


def deliver_others(own: Path, trainer: Trainer) -> None:
    """Deliver the other runs in the same folder that have ended and are incomplete in the store; mark those that died.

    It stops if a store cannot be reached: the next run will try again.
    """
    runs = run_folder.runs_of(own)
    own = own.resolve()
    patterns = ("*", *(f"*/{part}" for part in run_folder.PARTS))
    for file in [file for one in patterns for file in sorted(runs.glob(f"{one}/{run_folder.STARTED}"))]:
        if trainer.is_over():
            return
        with contextlib.suppress(RunError):
            if file.parent != own and not _deliver_other(file.parent, trainer):
                return


def _deliver_other(folder: Path, trainer: Trainer) -> bool:
    """False if the store cannot be reached."""
    known = read_run(folder)
    store = known.info.store
    uri = None if store is None else address(store, run_folder.runs_of(folder))
    before = None if uri is None else recall(folder, uri)
    if known.status != RUNNING and (before is None or before.complete):
        return True
    run = closed_run(folder)
    if run is None or uri is None:
        return True
    with lock_beside(folder / NAME, wait=False) as mine:
        if not mine:
            return True
        delivery = Delivery(folder, uri, stop=trainer.is_over)
        delivery.finish(run.status, run.ended)
        return delivery.reached
