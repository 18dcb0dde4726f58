"""Open the tracking that a spec asks for."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from dlrun.components.trackers.mlflow import Mlflow
from dlrun.components.trackers.off import Off
from dlrun.language.component import Component
from dlrun.runs.info import DEFAULT_STORE, RunInfo, Status, Tracking
from dlrun.tracking.store import sqlite_file, sqlite_uri


class NoTracking:
    """Does nothing: the metrics are only in the run's own folder."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, run: RunInfo) -> None:
        """Nothing happens."""

    def end(self, status: Status, timeout: float) -> str:
        """Nothing is missing: ''."""
        return ""

    def where(self) -> str:
        """There is nothing to see: ''."""
        return ""


def store_of(tracker: Component | None) -> str | None:
    """The store that a spec names, `default` if it names none, None for no tracker."""
    if isinstance(tracker, Off):
        return None
    if tracker is None or (isinstance(tracker, Mlflow) and tracker.uri is None):
        return DEFAULT_STORE
    if isinstance(tracker, Mlflow) and tracker.uri is not None:
        file = sqlite_file(tracker.uri)
        # A later command may run in another folder.
        return tracker.uri if file is None or "?" in tracker.uri else sqlite_uri(file)
    raise NotImplementedError(f"no tracking for {tracker.kind!r}")


def experiment_of(tracker: Component | None, name: str) -> str:
    """The MLflow experiment for the runs of a spec: the tracker's, or else the name of the spec."""
    return (tracker.experiment if isinstance(tracker, Mlflow) else None) or name


def open_tracking(tracker: Component | None, runs: Path) -> Tracking:
    """The Tracking for a run under `runs`. Nothing is started before `with`."""
    store = store_of(tracker)
    if store is None:
        return NoTracking()
    from dlrun.tracking.mlflow_tracking import MlflowTracking

    return MlflowTracking(store, runs)
