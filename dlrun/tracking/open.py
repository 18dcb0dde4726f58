"""Open the tracking that a spec asks for."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from dlrun.components.trackers.mlflow import Mlflow
from dlrun.components.trackers.off import Off
from dlrun.errors import Problem, SpecError
from dlrun.language.component import Component
from dlrun.runs.info import DEFAULT_STORE, RunInfo, Status, Tracking
from dlrun.tracking.schema import store_trouble
from dlrun.tracking.store import EXPERIMENT, EXPERIMENT_ID, RUN, STORE, URI, absolute_store, store_of_environment


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
    """The store that a spec names, or else the environment; `default` if neither does, None for no tracker.

    Raises:
        SpecError: it cannot keep a run, or the environment asks for what dlrun does not do.
    """
    if isinstance(tracker, Off):
        return None
    if tracker is not None and not isinstance(tracker, Mlflow):
        raise NotImplementedError(f"no tracking for {tracker.kind!r}")
    if run := os.environ.get(RUN):
        message = f"{RUN} names the run {run}, and each training of dlrun is a run of its own"
        raise SpecError([Problem(message, hint=f"unset {RUN}")])
    given = tracker.uri if tracker is not None else None
    store = absolute_store(given) if given is not None else store_of_environment()
    if store is not None and (trouble := store_trouble(store)):
        where = "`tracking`" if given is not None else URI
        hint = f"use a database, such as sqlite:///mlflow.db, or a server; without {where} runs go to runs/{STORE}"
        raise SpecError([Problem(f"{where} names {store}: {trouble}", hint=hint)])
    return store or DEFAULT_STORE


def experiment_of(tracker: Component | None, name: str) -> str:
    """The MLflow experiment for the runs of a spec: the tracker's, or else the environment's, or the spec's name.

    Raises:
        SpecError: the environment gives an experiment by its id alone.
    """
    given = tracker.experiment if isinstance(tracker, Mlflow) else None
    found = given or os.environ.get(EXPERIMENT)
    if not found and (number := os.environ.get(EXPERIMENT_ID)) and not isinstance(tracker, Off):
        message = f"{EXPERIMENT_ID} names the experiment {number} by its id, and dlrun finds experiments by name"
        raise SpecError([Problem(message, hint=f"set {EXPERIMENT} to its name, or unset {EXPERIMENT_ID}")])
    return found or name


def open_tracking(tracker: Component | None, runs: Path) -> Tracking:
    """The Tracking for a new run under `runs`. Nothing is started before `with`."""
    return open_store(store_of(tracker), runs)


def open_store(store: str | None, runs: Path) -> Tracking:
    """The Tracking for a run under `runs` that belongs to a store; None is no tracker."""
    if store is None:
        return NoTracking()
    from dlrun.tracking.mlflow_tracking import MlflowTracking

    return MlflowTracking(store, runs)
