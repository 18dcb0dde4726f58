"""`dlrun train`: from a spec to a trained, logged, comparable run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlrun.commands import screen
from dlrun.commands.arguments import Overrides, Runs, Spec, Strict, usable_or_none
from dlrun.commands.train.run_screen import RunScreen, show_run
from dlrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.runs.info import Tracking
    from dlrun.training.lifecycle.run import Outcome

Every = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="A row for each N epochs on the screen; else about 20 rows in all."),
]
FindLr = Annotated[
    bool,
    typer.Option(
        "--find-lr",
        help="Do not train, but show the loss of 100 steps at learning rates that rise from 1e-7 to 10, and suggest a "
        "rate; writes no run.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="With --find-lr: the picture to write, .svg or .png.",
        metavar="FILE",
        callback=usable_or_none,
    ),
]


def train(
    spec: Spec,
    overrides: Overrides = None,
    runs: Runs = Path("runs"),
    strict: Strict = False,
    every: Every = None,
    find_lr: FindLr = False,
    output: Output = None,
) -> None:
    """Train the network of a spec.

    Metrics are written to the run's folder and to MLflow.
    """
    if find_lr or output is not None:
        _find_lr(spec, overrides or (), strict, output, find_lr)
        return
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

    folder = show_run(checked, runs, store, mlflow_experiment, start, every)
    if checked.experiment.train.refits:
        from dlrun.commands.train.refit import show_refit

        show_refit(folder, every)


def _find_lr(spec: Path, overrides: Sequence[str], strict: bool, output: Path | None, asked: bool) -> None:
    """The range test; of several folds, in the first one."""
    from dlrun.checks.check import check as check_spec
    from dlrun.commands.picture_file import check_path
    from dlrun.commands.train.find_lr import find_lr, need_a_picture, need_a_rate

    if not asked:
        raise SpecError([Problem("a picture is drawn of a range test alone", hint="add --find-lr")])
    if output is not None:
        need_a_picture(output)
        check_path(output, spec)
    checked = check_spec(spec, overrides, training=True, strict=strict)
    if checked.experiment.need("data").split.every_fold:
        checked = check_spec(spec, [*overrides, "data.split.fold=1"], training=True, strict=strict)
    need_a_rate(checked)
    screen.notes(checked.notes)
    find_lr(checked, output)
