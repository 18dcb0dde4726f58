"""From what a spec says under `tracking` to the Tracking of a run."""

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
    """Forgets everything: the figures are in the run's own folder alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, run: RunInfo) -> None:
        """Nothing happens."""

    def end(self, status: Status, timeout: float) -> str:
        """Nothing was to be delivered, so all is well: ''."""
        return ""

    def where(self) -> str:
        """There is nothing to see: ''."""
        return ""


def store_of(tracker: Component | None) -> str | None:
    """The store that a spec names, `default` if it names none, None if there is to be no tracker."""
    if isinstance(tracker, Off):
        return None
    if tracker is None or (isinstance(tracker, Mlflow) and tracker.uri is None):
        return DEFAULT_STORE
    if isinstance(tracker, Mlflow) and tracker.uri is not None:
        file = sqlite_file(tracker.uri)
        # A later command may run in another folder than this one.
        return tracker.uri if file is None or "?" in tracker.uri else sqlite_uri(file)
    raise NotImplementedError(f"no tracking for {tracker.kind!r}")


def experiment_of(tracker: Component | None, name: str) -> str:
    """The MLflow experiment of the runs of a spec, which is called after the spec unless the tracker says otherwise."""
    return (tracker.experiment if isinstance(tracker, Mlflow) else None) or name


def open_tracking(tracker: Component | None, runs: Path) -> Tracking:
    """The Tracking for a run under `runs`. Nothing is started before `with`."""
    store = store_of(tracker)
    if store is None:
        return NoTracking()
    from dlrun.tracking.mlflow_tracking import MlflowTracking

    return MlflowTracking(store, runs)
