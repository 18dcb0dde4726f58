"""From what a spec says under `tracking` to the Tracking of a run."""

from __future__ import annotations

from pathlib import Path

from dlrun.components.trackers.mlflow import Mlflow
from dlrun.components.trackers.off import Off
from dlrun.spec.component import Component
from dlrun.tracking import Record, RunInfo, Status, Tracking


class NoTracking:
    """Forgets everything: the figures are in the run's own folder alone."""

    def begin(self, run: RunInfo) -> None:
        """Nothing happens."""

    def record(self, record: Record) -> None:
        """Nothing happens."""

    def end(self, status: Status, timeout: float) -> str:
        """Nothing was to be delivered, so all is well: ''."""
        return ""

    def where(self) -> str:
        """There is nothing to see: ''."""
        return ""


def open_tracking(tracker: Component | None, experiment_name: str, runs: Path) -> Tracking:
    """The Tracking for a run: MLflow's embedded store under `runs` unless the spec says otherwise.

    `experiment_name` is the MLflow experiment where the tracker names none. Nothing is opened yet.
    """
    if tracker is None:
        tracker = Mlflow()
    if isinstance(tracker, Off):
        return NoTracking()
    if isinstance(tracker, Mlflow):
        from dlrun.tracking.mlflow import MlflowTracking

        return MlflowTracking(tracker.uri, tracker.experiment or experiment_name, runs)
    raise NotImplementedError(f"no tracking for {tracker.kind!r}")
