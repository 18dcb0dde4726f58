"""The refit of a run: the same training again, on the validation rows too, for as many steps as were found best."""

from __future__ import annotations

from pathlib import Path

import safetensors

from dlrun.checks.check import Checked, check
from dlrun.errors import RunError, SpecError
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.runs.checkpoints import Checkpoints
from dlrun.runs.info import RunInfo, Tracking
from dlrun.runs.journal import read_journal
from dlrun.runs.refit import has_begun
from dlrun.runs.run_json import read_run
from dlrun.training.lifecycle.resume import resume
from dlrun.training.lifecycle.run import Outcome, RunWatcher, run
from dlrun.training.lifecycle.setup import TrainingSetup


def check_refit(search: Path) -> Checked:
    """Check the spec of the refit of a run that is complete.

    Raises:
        SpecError: with every problem that could be found.
        RunError: the run's files cannot be read.
    """
    place = search / run_folder.REFIT
    if has_begun(place):
        return check(place / run_folder.RESOLVED, training=True, from_checkpoint=Checkpoints(place).exist())
    changes = ("data.split.train_on_validation=true", "train.early_stopping=null", "train.epochs=null")
    resolved = search / run_folder.RESOLVED
    return check(resolved, (*changes, f"train.steps={best_step(search)}"), training=True)


def best_step(folder: Path) -> int:
    """After how many steps a run's best epoch ended.

    Raises:
        RunError: the run's files cannot be read.
    """
    file = folder / run_folder.BEST
    try:
        with safetensors.safe_open(file, "numpy") as weights:
            epoch = int(weights.metadata()["epoch"])
        return next(record.step for record in read_journal(folder / run_folder.JOURNAL) if record.epoch == epoch)
    except (OSError, safetensors.SafetensorError, LookupError, TypeError, ValueError, StopIteration) as error:
        raise RunError(f"{file} does not say which epoch was the best: {error}") from None


def refit(
    search: Path, checked: Checked, watcher: RunWatcher, tracking: Tracking, original: RunInfo | None = None
) -> Outcome:
    """Train or resume the refit of a run, by its spec from `check_refit`; `original` is the refit that it trains again.

    Raises:
        SpecError: the data is no longer that of the run.
        RunError: training failed.
        KeyboardInterrupt, Terminated: a signal stopped it; it can be resumed.
    """
    place, known = search / run_folder.REFIT, read_run(search).info
    if has_begun(place):
        return resume(place, checked, watcher, tracking)

    def within(setup: TrainingSetup) -> Path:
        if setup.loaded.digest != known.tags.get("data.hash"):
            raise SpecError(f"the data is not what {search.name} was trained on\n  `dlrun train` starts a new run")
        if not place.is_dir():  # otherwise a kill left it, before there was a run in it
            durable.make_folder(place, inner=True)
        return place

    return run(checked, watcher, search.parent, tracking, known.store, known.experiment, within, original)
