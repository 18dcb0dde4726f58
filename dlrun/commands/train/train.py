"""`dlrun train`: from a spec to a trained, logged, comparable run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import Overrides, Runs, Spec, Strict
from dlrun.commands.train.run_screen import RunScreen, show_run

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.runs.info import Tracking
    from dlrun.training.lifecycle.run import Outcome

Every = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="A row for each N epochs on the screen; else about 20 rows in all."),
]


def train(
    spec: Spec,
    overrides: Overrides = None,
    runs: Runs = Path("runs"),
    strict: Strict = False,
    every: Every = None,
) -> None:
    """Train the network of a spec; metrics are written to the run's folder and to MLflow."""
    from dlrun.checks.check import check as check_spec
    from dlrun.tracking.open import experiment_of, store_of

    checked = check_spec(spec, overrides or (), training=True, strict=strict, runs=runs)
    screen.notes(checked.notes)
    tracker = checked.experiment.tracking
    store, mlflow_experiment = store_of(tracker), experiment_of(tracker, checked.experiment.name)
    if checked.experiment.need("data").split.every_fold:
        from dlrun.commands.train.folds import show_folds

        def one_of(number: int, _known: Path | None) -> Checked:
            of_fold = [*(overrides or ()), f"data.split.fold={number}"]
            return check_spec(spec, of_fold, training=True, strict=strict, runs=runs)

        show_folds(checked, one_of, runs, store, mlflow_experiment, every)
        return

    def start(watcher: RunScreen, tracking: Tracking) -> Outcome:
        from dlrun.training.lifecycle.run import run

        return run(checked, watcher, runs, tracking, store, mlflow_experiment)

    show_run(checked, runs, store, mlflow_experiment, start, every)
