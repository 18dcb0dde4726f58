"""The screen of the refit of a run, which follows that of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.commands import screen
from dlrun.commands.train.run_screen import RunScreen, show_outcome, until_stopped

if TYPE_CHECKING:
    from dlrun.commands.train.reproducing import Reproducing


def show_refit(search: Path, every: int | None, reproducing: Reproducing | None = None) -> None:
    """Train or resume the refit of a run that is complete, and show it to its last line."""
    from dlrun.runs.run_json import read_run
    from dlrun.tracking.open import open_store
    from dlrun.training.lifecycle.refit import check_refit, refit

    checked = check_refit(search)
    assert checked.sizes is not None
    steps = checked.experiment.train.steps
    screen.say_folded(
        f"refit: {steps:,} steps, as many as were best, on {checked.sizes.train:,} rows, with those of validation"
    )
    screen.notes(checked.notes)
    watcher = RunScreen(checked, every, reproducing)
    original = None if reproducing is None else reproducing.info
    watcher.folder = search
    with open_store(read_run(search).info.store, search.parent) as tracking, until_stopped(watcher):
        outcome = refit(search, checked, watcher, tracking, original)
        watcher.stop()
        show_outcome(outcome, watcher)
