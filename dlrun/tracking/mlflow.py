"""A run's figures on their way to MLflow, on a thread of their own, so that training never waits for them."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

from dlrun.tracking import Record, RunInfo, Status
from dlrun.tracking.delivery import Delivery, End
from dlrun.tracking.mlflow_run import MlflowRun
from dlrun.tracking.store import prepare_process, sqlite_uri, store_file, without_password


class MlflowTracking:
    """Sends a run to MLflow from a background thread, the only place where MLflow is imported.

    Figures wait in a queue without bounds. An attempt that fails is repeated after a pause, with everything
    that came meanwhile; what MLflow refuses for good is left out. Both are told by `end`, and not before.
    """

    def __init__(self, uri: str | None, experiment: str | None, runs: Path):
        """`uri` is the store, by default mlflow.db under `runs`; `experiment` is by default the run's own."""
        self._runs = runs
        self._default = uri is None
        self._uri = uri or sqlite_uri(store_file(runs))
        self._experiment = experiment
        self._run: MlflowRun | None = None
        self._inbox: queue.SimpleQueue[Record | End] = queue.SimpleQueue()
        self._delivery: Delivery | None = None
        self._thread: threading.Thread | None = None
        self._asked = 0

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run; None as long as the run isn't there."""
        return self._run.run_id if self._run else None

    def begin(self, run: RunInfo) -> None:
        """The run starts: so does the thread."""
        prepare_process()
        self._run = MlflowRun(self._uri, self._experiment or run.experiment, run)
        self._delivery = Delivery(self._run, self._inbox)
        self._thread = threading.Thread(target=self._delivery.work, name="mlflow", daemon=True)
        self._thread.start()

    def record(self, record: Record) -> None:
        """Queue figures."""
        self._asked += len(record.metrics)
        self._inbox.put(record)

    def end(self, status: Status, timeout: float) -> str:
        """Deliver what is left, for at most `timeout` seconds.

        Gives '' if all arrived, or one line on what didn't and why. The import of MLflow and the making of a
        new store take some seconds, and a run that is over at once needs them here.
        """
        if self._thread is None or self._delivery is None:
            return ""
        self._inbox.put(End(status, time.time_ns() // 1_000_000))
        self._thread.join(timeout)
        late = f"not done after {timeout:g} s" if self._thread.is_alive() else ""
        return self._delivery.report(self._asked, late)

    def where(self) -> str:
        """`dlrun ui` and what to look for there, or the address of the run on its server."""
        if self._default:
            runs = "" if self._runs == Path("runs") else f" --runs {self._runs}"
            run = self._run
            return f"dlrun ui{runs}" + (f" (experiment {run.experiment}, run {run.info.name})" if run else "")
        page = self._run.page if self._run and self._uri.startswith(("http://", "https://")) else ""
        return without_password(self._uri).rstrip("/") + page
