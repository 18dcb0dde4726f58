"""`dlrun resume`: resume a run that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dlrun.commands import interrupts, screen
from dlrun.commands.arguments import Overrides, RunArgument, Runs
from dlrun.commands.look.sync import deliver
from dlrun.commands.train.baselines import show_comparison
from dlrun.commands.train.run_screen import RunScreen, directions, show_run
from dlrun.commands.train.train import Every
from dlrun.errors import CompleteError, RunError, SpecError

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.runs.info import RunInfo, Tracking
    from dlrun.training.lifecycle.run import Outcome


def resume(
    run: Annotated[str, RunArgument],
    overrides: Overrides = None,
    runs: Runs = Path("runs"),
    every: Every = None,
) -> None:
    """Resume a run that was interrupted, or train one longer.

    The result is bit-for-bit identical to that of a run that was never interrupted. `train.epochs=50` trains longer. A
    run that is complete is delivered to MLflow, as far as it is not there yet.
    """
    from dlrun.checks.check import check as check_spec
    from dlrun.commands.train.refit import show_refit
    from dlrun.runs.baselines import has_unfinished
    from dlrun.runs.checkpoints import Checkpoints
    from dlrun.runs.find import find_run
    from dlrun.runs.folder import RESOLVED, runs_of
    from dlrun.runs.refit import has_begun, is_complete, refit_of
    from dlrun.runs.run_json import read_run

    folder = find_run(run, runs)
    known = read_run(folder)
    if not overrides and known.status == "FINISHED":
        if has_unfinished(folder):
            finish_baselines(folder)
        if (refit := refit_of(folder)) is None or is_complete(refit):
            if refit is not None and has_unfinished(refit):
                finish_baselines(refit)
            show_complete(folder)
        else:
            show_refit(folder, every)
        return
    if "data.split.folds" in known.info.params and "data.split.fold" not in known.info.params:
        _resume_folds(folder, known.info, list(overrides or ()), every)
        return
    from_checkpoint = Checkpoints(folder).exist()
    checked = check_spec(folder / RESOLVED, overrides or (), training=True, from_checkpoint=from_checkpoint)

    def start(watcher: RunScreen, tracking: Tracking) -> Outcome:
        from dlrun.training.lifecycle.resume import resume as resume_run

        return resume_run(folder, checked, watcher, tracking)

    if overrides and (refit := refit_of(folder)) is not None and has_begun(refit):
        message = f"the refit of {folder.name} was trained for as long as was best, so the run cannot be longer"
        raise SpecError(f"{message}\n  `dlrun train` starts a new run")
    try:
        show_run(checked, runs_of(folder), known.info.store, known.info.experiment, start, every)
    except CompleteError:
        show_complete(folder)
        return
    if checked.experiment.train.refits:
        show_refit(folder, every)


def _resume_folds(folder: Path, info: RunInfo, overrides: list[str], every: int | None) -> None:
    """Go on at the fold that was interrupted, or train each fold longer."""
    from dlrun.checks.check import check as check_spec
    from dlrun.commands.train.folds import show_folds
    from dlrun.runs.checkpoints import Checkpoints
    from dlrun.runs.folder import RESOLVED, runs_of

    checked = check_spec(folder / RESOLVED, overrides, training=True)

    def one_of(number: int, known: Path | None) -> Checked:
        if known is None:
            return check_spec(folder / RESOLVED, [*overrides, f"data.split.fold={number}"], training=True)
        settings = checked.experiment.train
        lengths = {"train.epochs": settings.epochs, "train.steps": settings.steps}
        given = [f"{name}={count}" for name, count in lengths.items() if count is not None]
        from_checkpoint = Checkpoints(known).exist()
        return check_spec(known / RESOLVED, [*overrides, *given], training=True, from_checkpoint=from_checkpoint)

    runs = runs_of(folder)
    show_folds(checked, one_of, runs, info.store, info.experiment, every, folder)


def finish_baselines(folder: Path) -> None:
    """Compute the baselines of a complete run that were skipped, and show them."""
    from dlrun.checks.check import check as check_spec
    from dlrun.runs.folder import RESOLVED

    checked = check_spec(folder / RESOLVED, (), training=True, from_checkpoint=True)
    watcher = RunScreen(checked)
    from dlrun.training.lifecycle.resume import finish_baselines as compute

    interrupts.raise_from_now_on()
    try:
        comparison = compute(folder, checked, watcher)
    finally:
        watcher.stop()
    if comparison is not None:
        show_comparison(comparison, directions(checked))


def show_complete(folder: Path) -> None:
    """Say that a run is complete, and deliver what its store lacks; the run is no failure if that fails."""
    from dlrun.runs.folder import parts_of
    from dlrun.runs.run_json import read_run

    screen.say_folded(f"{folder.name} is complete{_when(folder)}", hanging=2)
    try:
        deliver(folder)
        for one in parts_of(folder) if read_run(folder).info.store is not None else ():
            deliver(one)
    except RunError as error:
        screen.failure(f"the tracker: {error}; `dlrun sync {folder}` delivers the rest", word="warning")


def _when(folder: Path) -> str:
    """The run's last epoch, and how to train it longer where that is possible; '' without a journal."""
    from dlrun.plan.length import EPOCHS
    from dlrun.runs.folder import JOURNAL
    from dlrun.runs.journal import read_journal
    from dlrun.runs.run_json import read_run

    try:
        records, settings = read_journal(folder / JOURNAL), read_run(folder).info.params
    except RunError:  # it is delivered as far as it can be read
        return ""
    if not records or not records[-1].epoch:  # the folds of a run have epochs, and it has none
        return ""
    last = records[-1]
    after = f", after epoch {last.epoch}"
    if "train.steps" in settings:
        # Steps may end inside an epoch, and such a run cannot be longer.
        if last.epoch > 1 and last.step == last.epoch * records[0].step:
            return f"{after}; `train.steps={2 * last.step}` trains it longer"
    elif last.epoch == int(settings.get("train.epochs", EPOCHS)):
        return f"{after}; `train.epochs={2 * last.epoch}` trains it longer"
    return after
