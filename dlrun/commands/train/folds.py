"""The screen of a training of several folds: each fold as a run, then all of them in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.commands import screen
from dlrun.commands.train.baselines import show_means
from dlrun.commands.train.run_screen import (
    RunScreen,
    directions,
    next_step,
    show_best,
    show_places,
    show_start,
    until_stopped,
)

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.commands.train.reproducing import Reproducing
    from dlrun.training.lifecycle.run import Outcome


def show_folds(
    checked: Checked,
    one_of: Callable[[int, Path | None], Checked],
    runs: Path,
    store: str | None,
    mlflow_experiment: str,
    every: int | None,
    folder: Path | None = None,
    reproducing: Reproducing | None = None,
) -> Path:
    """Train all folds, and show them from the first line to the table; returns the run's folder. See `run_folds`."""
    from dlrun.tracking.open import open_store

    show_start(checked, runs, store, mlflow_experiment)
    watcher = FoldsScreen(checked, every, folder, reproducing)
    with until_stopped(watcher):
        from dlrun.training.lifecycle.folds import run_folds

        outcome = run_folds(
            checked,
            one_of,
            watcher,
            runs,
            lambda: open_store(store, runs),
            store,
            mlflow_experiment,
            folder,
            None if reproducing is None else reproducing.info,
        )
        show_tests(outcome, directions(checked))
    folder = watcher.run
    assert folder is not None
    return folder


class FoldsScreen:
    """Shows one fold after the other."""

    def __init__(self, checked: Checked, every: int | None, folder: Path | None, reproducing: Reproducing | None):
        self.checked, self.every, self.folder, self.reproducing = checked, every, folder, reproducing
        self.folds = checked.experiment.need("data").split.folds
        self.shown: RunScreen | None = None
        self.told = {note.message for note in checked.notes}

    def fold(self, number: int, checked: Checked) -> RunScreen:
        """Print the number of the fold, and notes that no fold had before."""
        fold = None if self.reproducing is None else self.reproducing.fold(number)
        screen.say(f"fold {number} of {self.folds}")
        screen.notes([note for note in checked.notes if note.message not in self.told])
        self.told |= {note.message for note in checked.notes}
        self.shown = RunScreen(checked, self.every, fold)
        return self.shown

    def trained(self, number: int, outcome: Outcome | None) -> None:
        """End a fold."""
        if self.shown is None or outcome is None:
            screen.say(f"fold {number} of {self.folds} is complete")
            return
        self.stop()
        show_best(outcome, self.shown.table.monitor.name)
        self.folder = outcome.folder.parent

    def next_step(self) -> str:
        """What can be done with the run once it was interrupted; '' where there is none."""
        return next_step(self.run)

    @property
    def run(self) -> Path | None:
        """The folder of the run, once it is known."""
        if self.folder is None and self.shown is not None and self.shown.folder is not None:
            return self.shown.folder.parent
        return self.folder

    def caching(self, what: str, share: float) -> None:
        """Show what is made for the cache, as the fold does that needs it."""
        if self.shown is not None:
            self.shown.caching(what, share)

    def stop(self) -> None:
        """End the table and the live line of the fold."""
        if self.shown is not None:
            self.shown.stop()


def show_tests(outcome: Outcome, better: Mapping[str, bool | None]) -> None:
    """Print the test metrics of each fold, their mean and their standard deviation, the means of the baselines, and the
    run's folder; `better` are the losses and the metrics of one value: see `directions`."""
    from dlrun.runs.baselines import read_comparison
    from dlrun.runs.folder import folds_of
    from dlrun.training.lifecycle.folds import STD, figures_of

    tests = figures_of(outcome.folder)
    names = [name for name in tests[0] if name in better]
    rows = [(f"fold {number}", *(screen.show_value(test[name]) for name in names))
            for number, test in enumerate(tests, 1)]  # fmt: skip
    rows.append(("mean", *(screen.show_value(outcome.test[name]) for name in names)))
    rows.append(("std", *(screen.show_value(outcome.test[name + STD]) for name in names)))
    head = ("test", *names)
    fitting = screen.fitting(head, rows)
    screen.table(head[:fitting], [row[:fitting] for row in rows], right=names)
    if more := len(tests[0]) + 1 - fitting:
        screen.say(f"  the means of {more} more values are in the run's metrics.jsonl")
    compared = [read_comparison(place) for place in folds_of(outcome.folder)]
    show_means([one for one in compared if one is not None], better)
    show_places(outcome)
