"""Resuming an interrupted run: the result is bit-for-bit that of an uninterrupted one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlrun.checks.check import Checked
from dlrun.errors import CompleteError, RunError, SpecError
from dlrun.language.experiment import TrainSection
from dlrun.language.resolved import as_yaml, flattened, resolved
from dlrun.plan.length import Length
from dlrun.runs import folder as run_folder
from dlrun.runs.baselines import Comparison
from dlrun.runs.checkpoints import Checkpoint, Checkpoints
from dlrun.runs.info import RunInfo, Tracking
from dlrun.runs.lock import lock
from dlrun.runs.run_json import RUNNING, about, read_run
from dlrun.training.lifecycle import baselines
from dlrun.training.lifecycle.checkpointing import FITTED, fingerprint
from dlrun.training.lifecycle.process import process_of_a_run
from dlrun.training.lifecycle.run import Outcome, RunWatcher, train
from dlrun.training.lifecycle.setup import TrainingSetup, prepare_training
from dlrun.training.lifecycle.snapshot import restore
from dlrun.training.lifecycle.trunk import compute_trunk
from dlrun.training.lifecycle.unchanged import check_data, check_settings, check_weights, recorded
from dlrun.training.loop import Training
from dlrun.training.signals import stop_on_signals
from dlrun.training.state import TrainingState

FOLDER = "run.folder"
"""The tag that identifies a run, with its start."""


class _Nothing:
    """Takes the place of what writes checkpoints, where nothing is trained."""

    def after_step(self, training: Training) -> None: ...
    def after_epoch(self, training: Training) -> None: ...


def finish_baselines(folder: Path, checked: Checked, watcher: RunWatcher) -> Comparison | None:
    """Compute the baselines of a run that is complete but for them.

    Raises:
        SpecError: the spec or the data is no longer that of the run.
        RunError: another process works on the run, or no checkpoint can be read.
        KeyboardInterrupt, Terminated: a second signal came.
    """
    with process_of_a_run(), lock(folder):
        known = read_run(folder)
        checkpoint = _newest(folder, watcher)
        if checkpoint is None:
            raise RunError(f"{folder.name} has no checkpoint, so its baselines cannot be computed")
        now = flattened(checked.experiment, checked.reading.folder, checked.plan.input_shapes)
        check_settings(folder.name, checkpoint.state["settings"], now, checked.experiment)
        setup = prepare_training(checked, checkpoint.tensors.get(FITTED, {}))
        check_data(folder.name, checkpoint.state, setup.identity())
        setup = compute_trunk(setup, watcher, checkpoint)
        state = TrainingState()
        with stop_on_signals(state.stop_request):
            training = Training(setup.task, watcher, _Nothing(), state)
            restore(training, checkpoint)
            training.finish()
            return baselines.compare(baselines.begin(setup, training, folder, known.test, watcher), watcher)


def resume(folder: Path, checked: Checked, watcher: RunWatcher, tracking: Tracking) -> Outcome:
    """Resume the run in a folder, by its resolved spec.

    Raises:
        SpecError: the spec or the data is no longer that of the run.
        CompleteError: there is nothing left to train.
        RunError: another process trains it, or no checkpoint can be read.
        KeyboardInterrupt, Terminated: a signal stopped it again.
    """
    with process_of_a_run(), lock(folder):
        known = read_run(folder)
        checkpoint = _newest(folder, watcher)
        settings = checkpoint.state["settings"] if checkpoint else known.info.params
        now = flattened(checked.experiment, checked.reading.folder, checked.plan.input_shapes)
        check_settings(folder.name, settings, now, checked.experiment)
        setup = prepare_training(checked, checkpoint.tensors.get(FITTED, {}) if checkpoint else None)
        check_data(folder.name, checkpoint.state if checkpoint else recorded(known.info), setup.identity())
        if checkpoint is None:
            check_weights(folder.name, known.info, setup.weights_digest)
        _check_length(folder, checkpoint, setup, known.status == "FINISHED")
        setup = compute_trunk(setup, watcher, checkpoint)
        _notify_start(checkpoint, setup, watcher)
        info = _mark_resumed(known.info, setup)
        return train(setup, info, watcher, tracking, checkpoint)


def _newest(folder: Path, watcher: RunWatcher) -> Checkpoint | None:
    checkpoints = Checkpoints(folder)
    checkpoint = checkpoints.newest()
    for damage in checkpoints.damaged:
        watcher.notice(f"skipped a damaged checkpoint: {damage}")
    return checkpoint


def _check_length(folder: Path, checkpoint: Checkpoint | None, setup: TrainingSetup, finished: bool) -> None:
    """Refuse to make a run shorter, or to train one that is complete.

    Raises:
        SpecError: with what is possible instead.
        CompleteError: there is nothing left to train.
    """
    settings: TrainSection = setup.task.settings
    length = Length.of(settings, len(setup.task.data.train))
    if checkpoint is None:
        return
    planned = checkpoint.state["steps"]
    if length.steps < planned:
        raise SpecError(
            f"{folder.name} has {planned} steps in all, and {length.steps} are fewer; the number can only grow"
        )
    if length.steps > planned and checkpoint.step < checkpoint.state["epoch"] * length.per_epoch:
        raise SpecError(f"{folder.name} ended inside an epoch, after step {checkpoint.step}; it cannot be extended")
    if finished and (checkpoint.state["stopped_early"] or checkpoint.step >= length.steps):
        raise CompleteError(f"{folder.name} is complete")


def _notify_start(checkpoint: Checkpoint | None, setup: TrainingSetup, watcher: RunWatcher) -> None:
    if checkpoint is None:
        watcher.notice("the run ended before its first checkpoint: it starts again, with the same seed")
        return
    watcher.notice(f"resumes after step {checkpoint.step}, in epoch {checkpoint.state['epoch'] + 1}")
    then, now = checkpoint.state["fingerprint"], fingerprint(setup.device)
    differing = [f"{name} {then.get(name)}, now {now[name]}" for name in now if then.get(name) != now[name]]
    if differing:
        watcher.notice(f"started on another machine ({'; '.join(differing)}): the last bits may differ")


def _mark_resumed(info: RunInfo, setup: TrainingSetup) -> RunInfo:
    """Write to the run's folder that it runs again, and its settings, since it may be longer now."""
    checked = setup.checked
    text = as_yaml(resolved(checked.experiment, checked.reading.folder, setup.plan.input_shapes))
    if text != info.texts.get(run_folder.RESOLVED):
        run_folder.write_text(info.folder / run_folder.RESOLVED, text)
    if _is_copy(info):  # from here on it is another run than the one that it was copied from
        info = replace(info, name=info.folder.name, tags={**info.tags, FOLDER: str(info.folder.resolve())})
    info = replace(info, params=setup.settings, texts={**info.texts, run_folder.RESOLVED: text})
    run_folder.write_json(info.folder / run_folder.STARTED, {**about(info), "status": RUNNING})
    return info


def _is_copy(info: RunInfo) -> bool:
    """Whether the folder in which the run began is another one, and still has the run: it was copied, not moved."""
    first = Path(info.tags.get(FOLDER, info.folder))
    try:
        return not first.samefile(info.folder) and read_run(first).info.started == info.started
    except (OSError, ValueError, RunError):
        return False
