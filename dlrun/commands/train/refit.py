"""The screen of the refit of a run, which follows that of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.commands import screen
from dlrun.commands.train.run_screen import RunScreen, show_outcome, until_stopped

if TYPE_CHECKING:
    from dlrun.training.lifecycle.run import Outcome


def show_refit(search: Path, every: int | None) -> Outcome:
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
    watcher = RunScreen(checked, every)
    watcher.folder = search
    with open_store(read_run(search).info.store, search.parent) as tracking:
        with until_stopped(watcher):
            outcome = refit(search, checked, watcher, tracking)
        show_outcome(outcome, watcher)
    return outcome
