"""Tracking by MLflow: the training process starts a delivery process, and sends it the run's folder and its end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dlrun.errors import without_password
from dlrun.runs.info import DEFAULT_STORE, RunInfo, Status
from dlrun.tracking.store import address

GRACE = 60.0
"""Seconds that the delivery process has for the rest, if this one is killed."""
ANSWER = 2.0
"""Seconds that the delivery process has to report a timeout."""


class MlflowTracking:
    """Starts a process (tracking/delivery_process.py) that delivers a run from its folder.

    Training shares nothing with MLflow: no memory, no interpreter lock, no exception. Only `end` reports what could
    not be delivered, and the command that delivers it later.
    """

    def __init__(self, store: str, runs: Path, grace: float = GRACE):
        """`store` is its address or `default`, which is mlflow.db under `runs`."""
        self._store = store
        self._runs = runs
        self._grace = grace
        self._uri = address(store, runs)
        self._process: subprocess.Popen[bytes] | None = None
        self._run: RunInfo | None = None
        self._page = ""
        self._trouble = ""

    def __enter__(self) -> Self:
        """Start the process: it loads MLflow and makes a new store while this one loads torch and the data."""
        try:
            self._process = start_process()
        except OSError as error:
            self._trouble = f"the delivery process cannot be started: {error.strerror}"
        self._write(store=self._uri, process=os.getpid(), grace=self._grace)
        return self

    def begin(self, run: RunInfo) -> None:
        """Let the process follow a run from now on."""
        self._run = run
        self._write(folder=str(run.folder.resolve()))

    def end(self, status: Status, timeout: float) -> str:
        """Wait at most `timeout` seconds for the rest; returns one line on what is not delivered, or ''."""
        if self._run is None:
            return ""
        self._write(status=status, time=time.time_ns() // 1_000_000, timeout=timeout)
        answer = self._answer(timeout)
        self._page = answer["page"]
        missing = answer["missing"]
        return missing and f"{missing}; `dlrun sync {self._run.folder}` delivers the rest"

    def where(self) -> str:
        """`dlrun ui` and the name to look for there, or the address of the run on its server."""
        if self._store == DEFAULT_STORE:
            runs = "" if self._runs == Path("runs") else f" --runs {self._runs}"
            run = self._run
            return f"dlrun ui{runs}" + (f" (experiment {run.experiment}, run {run.name})" if run else "")
        page = self._page if self._uri.startswith(("http://", "https://")) else ""
        return without_password(self._uri).rstrip("/") + page

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the process end: at once, or after GRACE if it follows a run whose end it does not know."""
        process = self._process
        if process is None:
            return
        if self._run is None:
            process.kill()  # there is nothing to deliver
            process.wait()
        with contextlib.suppress(OSError):
            _given(process.stdin).close()
        if process.poll() is not None:  # otherwise a thread may be reading
            _given(process.stdout).close()

    def _write(self, **message: Any) -> None:
        """Write a line to the process; it fits into the pipe, so this never waits. `end` reports a dead process."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                stream = _given(self._process.stdin)
                stream.write(json.dumps(message).encode() + b"\n")
                stream.flush()

    def _answer(self, timeout: float) -> dict[str, str]:
        """Read the answer of the process, and end it. Ctrl-C stops waiting: the process knows the end."""
        process, trouble = self._process, self._trouble
        if process is not None:
            lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
            threading.Thread(target=lambda: lines.put(_given(process.stdout).readline()), daemon=True).start()
            try:
                line = lines.get(timeout=timeout + ANSWER)
                trouble = "the delivery process has died"
            except queue.Empty:
                line = b""
                trouble = f"not done after {timeout:g} s"
            except KeyboardInterrupt:
                return self._lacking("stopped waiting after Ctrl-C")
            process.kill()  # it has answered, or it hangs
            process.wait()
            if line:
                return json.loads(line)
        return self._lacking(trouble)

    def _lacking(self, trouble: str) -> dict[str, str]:
        return {"missing": f"MLflow at {without_password(self._uri)} lacks some of this run: {trouble}", "page": ""}


def _given(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def start_process() -> subprocess.Popen[bytes]:
    """Start the delivery process, with the import path of this one, in a new session that Ctrl-C does not reach."""
    program = f"import sys; sys.path = {sys.path!r}; from dlrun.tracking.delivery_process import main; main()"
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=0x200 if os.name == "nt" else 0,  # CREATE_NEW_PROCESS_GROUP
    )
