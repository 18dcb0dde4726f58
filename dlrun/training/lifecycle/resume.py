"""A run that was interrupted, gone on with as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dlrun.checks.check import Checked
from dlrun.errors import SpecError
from dlrun.language.experiment import TrainSection
from dlrun.language.resolved import as_yaml, flattened, resolved
from dlrun.plan.length import Length
from dlrun.runs import folder as run_folder
from dlrun.runs.checkpoints import Checkpoint, Checkpoints
from dlrun.runs.info import RunInfo, Tracking
from dlrun.runs.lock import lock
from dlrun.runs.run_json import RUNNING, about, read_run
from dlrun.training.lifecycle.checkpointing import FITTED, fingerprint
from dlrun.training.lifecycle.process import process_of_a_run
from dlrun.training.lifecycle.run import Outcome, RunWatcher, train
from dlrun.training.lifecycle.setup import TrainingSetup, prepare_training

LENGTH = ("train.epochs", "train.steps")
"""The settings that may grow."""
PLACES = ("data.source.path",)
"""The settings that may change: the data may lie elsewhere, as long as its hash is the same."""
MOST = 6
"""How many differences are listed."""


def resume(folder: Path, checked: Checked, watcher: RunWatcher, tracking: Tracking) -> Outcome:
    """Go on with the run in a folder, by its resolved spec.

    Raises:
        SpecError: the spec or the data is no longer that of the run, or there is nothing left to do.
        RunError: another process trains it, or no checkpoint can be used.
        KeyboardInterrupt, Terminated: somebody ended it once more.
    """
    with process_of_a_run(), lock(folder):
        known = read_run(folder)
        checkpoint = _newest(folder, watcher)
        settings = checkpoint.state["settings"] if checkpoint else known.info.params
        now = flattened(checked.experiment, checked.reading.folder, checked.plan.input_shapes)
        _hold_to_settings(folder, settings, now)
        ready = prepare_training(checked, checkpoint.tensors.get(FITTED, {}) if checkpoint else None)
        _hold_to_data(folder, known.info, checkpoint, ready.identity())
        _hold_to_length(folder, checkpoint, ready, known.status == "FINISHED")
        _tell_beginning(checkpoint, ready, watcher)
        info = _begin_again(known.info, ready)
        return train(ready, info, watcher, tracking, checkpoint)


def _newest(folder: Path, watcher: RunWatcher) -> Checkpoint | None:
    checkpoints = Checkpoints(folder)
    checkpoint = checkpoints.newest()
    for damage in checkpoints.damaged:
        watcher.notice(f"a damaged checkpoint is passed over: {damage}")
    return checkpoint


def _hold_to_settings(folder: Path, then: dict[str, str], now: dict[str, str]) -> None:
    """Refuse another spec than the run's, but for a longer training.

    Raises:
        SpecError: naming what differs.
    """
    differing = [name for name in {**then, **now} if then.get(name) != now.get(name) and name not in (*LENGTH, *PLACES)]
    if not differing:
        return
    shown = [f"{name} was {then.get(name, 'not given')}, now {now.get(name, 'not given')}" for name in differing[:MOST]]
    shown += [f"and {len(differing) - MOST} more"] if len(differing) > MOST else []
    what = "\n  ".join([f"{folder.name} was begun by another spec:", *shown])
    raise SpecError(f"{what}\n  only `train.epochs` or `train.steps` may grow; `dlrun train` begins another run")


def _hold_to_data(folder: Path, info: RunInfo, checkpoint: Checkpoint | None, now: dict[str, Any]) -> None:
    """Refuse other data, or another split of it.

    Raises:
        SpecError: naming what differs.
    """
    then = (
        checkpoint.state if checkpoint else {"data": info.tags.get("data.hash"), "split": info.tags.get("split.hash")}
    )
    if then["data"] != now["data"]:
        what = f"the data is not what {folder.name} was begun with: its SHA-256 was {then['data']}, now {now['data']}"
    elif then["split"] != now["split"]:
        what = f"the rows are split otherwise than when {folder.name} was begun"
    elif then.get("labels", now["labels"]) != now["labels"]:
        what = f"the classes are not those that {folder.name} was begun with: {then['labels']}, now {now['labels']}"
    else:
        return
    raise SpecError(f"{what}\n  `dlrun train` begins another run")


def _hold_to_length(folder: Path, checkpoint: Checkpoint | None, ready: TrainingSetup, finished: bool) -> None:
    """Refuse to make a run shorter, or to go on with one that is done.

    Raises:
        SpecError: what can be done instead.
    """
    settings: TrainSection = ready.task.settings
    length = Length.of(settings, len(ready.task.data.train))
    if checkpoint is None:
        return
    planned = checkpoint.state["steps"]
    if length.steps < planned:
        raise SpecError(
            f"{folder.name} was to take {planned} steps, and {length.steps} are fewer; it can only grow longer"
        )
    if length.steps > planned and checkpoint.step < checkpoint.state["epoch"] * length.per_epoch:
        raise SpecError(f"{folder.name} has ended inside an epoch, after step {checkpoint.step}; it cannot grow longer")
    if finished and checkpoint.state["stopped_early"]:
        raise SpecError(f"{folder.name} is done: it was stopped early, after epoch {checkpoint.state['epoch']}")
    if finished and checkpoint.step >= length.steps:
        more = f"train.steps={2 * planned}" if settings.steps else f"train.epochs={2 * length.epochs}"
        way = f"; `{more}` trains it longer" if length.steps % length.per_epoch == 0 else ""
        raise SpecError(f"{folder.name} is done, after epoch {checkpoint.state['epoch']}{way}")


def _tell_beginning(checkpoint: Checkpoint | None, ready: TrainingSetup, watcher: RunWatcher) -> None:
    if checkpoint is None:
        watcher.notice("the run ended before its first checkpoint: it begins anew, as it began then")
        return
    watcher.notice(f"goes on after step {checkpoint.step}, in epoch {checkpoint.state['epoch'] + 1}")
    then, now = checkpoint.state["fingerprint"], fingerprint(ready.device)
    differing = [f"{name} {then.get(name)}, now {now[name]}" for name in now if then.get(name) != now[name]]
    if differing:
        watcher.notice(f"begun on another machine ({'; '.join(differing)}): the last bits may differ")


def _begin_again(info: RunInfo, ready: TrainingSetup) -> RunInfo:
    """Write down that the run goes on, and how long it is to be now."""
    checked = ready.checked
    text = as_yaml(resolved(checked.experiment, checked.reading.folder, ready.plan.input_shapes))
    if text != info.texts.get(run_folder.RESOLVED):
        run_folder.write_text(info.folder / run_folder.RESOLVED, text)
    info = replace(info, params=ready.settings, texts={**info.texts, run_folder.RESOLVED: text})
    run_folder.write_json(info.folder / run_folder.STARTED, {**about(info), "status": RUNNING})
    return info
