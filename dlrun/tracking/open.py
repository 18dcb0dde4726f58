"""Open the tracking that a spec asks for."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from dlrun.components.trackers.mlflow import Mlflow
from dlrun.components.trackers.off import Off
from dlrun.language.component import Component
from dlrun.runs.info import DEFAULT_STORE, RunInfo, Status, Tracking
from dlrun.tracking.store import EXPERIMENT, absolute_store, store_of_environment


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
    """The store that a spec names, or else the environment; `default` if neither does, None for no tracker."""
    if isinstance(tracker, Off):
        return None
    if tracker is not None and not isinstance(tracker, Mlflow):
        raise NotImplementedError(f"no tracking for {tracker.kind!r}")
    if tracker is not None and tracker.uri is not None:
        return absolute_store(tracker.uri)
    return store_of_environment() or DEFAULT_STORE


def experiment_of(tracker: Component | None, name: str) -> str:
    """The MLflow experiment for the runs of a spec: the tracker's, or else the environment's, or the spec's name."""
    given = tracker.experiment if isinstance(tracker, Mlflow) else None
    return given or os.environ.get(EXPERIMENT) or name


def open_tracking(tracker: Component | None, runs: Path) -> Tracking:
    """The Tracking for a new run under `runs`. Nothing is started before `with`."""
    return open_store(store_of(tracker), runs)


def open_store(store: str | None, runs: Path) -> Tracking:
    """The Tracking for a run under `runs` that belongs to a store; None is no tracker."""
    if store is None:
        return NoTracking()
    from dlrun.tracking.mlflow_tracking import MlflowTracking

    return MlflowTracking(store, runs)
