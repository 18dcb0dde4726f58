"""A checked spec -> a run: train, test, and write all of it to the run's folder; also the training of a resumed run."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from dlrun.checks.check import Checked
from dlrun.data.load import Loaded
from dlrun.errors import Problem, RunError
from dlrun.network.files import Weights, write_weights
from dlrun.network.preprocessing import as_tensors
from dlrun.plan.length import evaluation_batch
from dlrun.plan.network import Plan
from dlrun.runs import folder as run_folder
from dlrun.runs.baselines import Comparison
from dlrun.runs.checkpoints import Checkpoint
from dlrun.runs.info import Record, RunInfo, Status, Tracking
from dlrun.runs.journal import Journal, read_journal
from dlrun.runs.lock import lock
from dlrun.runs.run_json import NO_BEST, RUNNING, about, about_ended, best_of
from dlrun.training.averaging import measured_weights
from dlrun.training.lifecycle import baselines
from dlrun.training.lifecycle.checkpointing import CheckpointPolicy
from dlrun.training.lifecycle.columns import columns
from dlrun.training.lifecycle.describe import describe, now
from dlrun.training.lifecycle.process import process_of_a_run
from dlrun.training.lifecycle.setup import TrainingSetup, prepare_training
from dlrun.training.lifecycle.trunk import TrunkWatcher, compute_trunk
from dlrun.training.lifecycle.unchanged import check_data, check_weights, recorded
from dlrun.training.loop import Progress, Training, Watcher
from dlrun.training.loss_totals import LossError
from dlrun.training.signals import Terminated, stop_on_signals
from dlrun.training.state import TrainingState

DELIVERY = 30.0
"""Seconds that training waits for the tracker at the end."""
DELIVERY_WHEN_STOPPED = 10.0
"""The same after a signal."""


class UndefinedError(RunError):
    """The metric that decides which weights are the best was never defined."""


class RunWatcher(Watcher, TrunkWatcher, Protocol):
    """Is called as a run goes on: at each event of its training, and of the run itself."""

    def ready(self, plan: Plan, loaded: Loaded, folder: Path, device: str) -> None:
        """The data is loaded and the network built; training begins, or is resumed."""
        ...

    def note(self, problem: Problem) -> None:
        """A note about the data; the run continues."""
        ...

    def notice(self, text: str) -> None:
        """A message for the user; the run continues."""
        ...

    def tested(self, setup: TrainingSetup, training: Training, outcome: Outcome) -> None:
        """The network has the weights that were tested; run.json does not say yet that the run is complete."""
        ...

    def baseline(self, name: str, number: int, count: int) -> None:
        """The run is complete; baseline `number` of `count` begins."""
        ...


@dataclass(slots=True)
class Outcome:
    """The result of a run."""

    folder: Path
    status: Status
    test: dict[str, float]
    """The test metrics, without their prefix; empty without test rows."""
    test_of: str
    """The weights that were tested, `epoch 12 (best)`; '' before training has come to its end."""
    state: TrainingState
    where: str
    """How to compare the run; '' without a tracker."""
    undelivered: str
    """What could not be sent to the tracker, and why; '' if all was sent."""
    comparison: Comparison | None = None
    """The network beside its baselines; None without baselines."""


@dataclass(slots=True)
class _Reporter:
    """Writes each row of metrics to the journal, where the tracker reads it, then shows it."""

    journal: Journal
    watcher: RunWatcher
    state: TrainingState
    monitor: str = ""
    """The metric that decides which weights are the best."""
    reported: int = 0
    """How many differences from before the interruption were reported."""
    undefined: bool = False
    """Whether it was reported that the monitored metric was not defined."""

    def progress(self, progress: Progress) -> None:
        self.watcher.progress(progress)

    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None:
        self.record(metrics)
        self.watcher.epoch(epoch, metrics, epochs)
        if not self.undefined and not math.isfinite(value := metrics.get(self.monitor, math.nan)):
            self.undefined = True
            self.watcher.notice(f"{self.monitor} is {value} in epoch {epoch}: such an epoch cannot be the best")

    def record(self, metrics: dict[str, float]) -> None:
        self.journal.write(Record(self.state.epoch, self.state.step, now(), metrics))
        for text in self.journal.differences[self.reported :]:
            self.watcher.notice(f"not what it was before the interruption: {text}")
        self.reported = len(self.journal.differences)


def run(
    checked: Checked,
    watcher: RunWatcher,
    runs: Path,
    tracking: Tracking,
    store: str | None,
    mlflow_experiment: str,
    within: Callable[[TrainingSetup], Path] | None = None,
    original: RunInfo | None = None,
) -> Outcome:
    """Train by a checked spec; the run gets a folder under `runs`.

    `store` and `mlflow_experiment` are the tracker's store and its experiment, which run.json keeps. `within` makes the
    folder of a run that is a part of another, in the folder of that one. `original` is the run that this one trains
    again.

    Raises:
        SpecError: the data is not what the spec says, or not that of the original.
        RunError: training failed.
        KeyboardInterrupt, Terminated: a signal stopped it; it can be resumed.
    """
    with process_of_a_run():
        setup = prepare_training(checked)
        if original is not None:
            name = run_folder.name_of(original.folder)
            check_data(name, recorded(original), setup.identity())
            check_weights(name, original, setup.weights_digest)
        for note in setup.notes:
            watcher.note(note)
        if (start := checked.start) is not None and (start.missing or start.left or start.unused):
            watcher.notice(f"weights: {'; '.join(start.lines(checked.experiment.need('model').start.source))}")
        setup = compute_trunk(setup, watcher)
        if within is None:
            place, parent = run_folder.make_folder(runs, checked.experiment.name, original is not None), None
        else:
            place = within(setup)
            parent = place.parent
        with lock(place):
            info = describe(setup, place, store, mlflow_experiment, parent, original)
            _write_start(setup, info)
            return train(setup, info, watcher, tracking, None)


def train(
    setup: TrainingSetup, info: RunInfo, watcher: RunWatcher, tracking: Tracking, checkpoint: Checkpoint | None
) -> Outcome:
    """Train from the start or from a checkpoint, then test; the run's folder is locked by the caller.

    Raises:
        RunError: training failed.
        KeyboardInterrupt, Terminated: a signal stopped it.
    """
    place, state = info.folder, TrainingState()
    outcome = Outcome(place, "FAILED", {}, "", state, "", "")
    journal = Journal(place / run_folder.JOURNAL, checkpoint.state["journal"] if checkpoint else 0)
    with (
        _delivery(outcome, tracking, watcher),
        journal,
        stop_on_signals(state.stop_request),
        _ending(setup, info, outcome),
    ):
        tracking.begin(info)
        reporter = _Reporter(journal, watcher, state)
        checkpointing = CheckpointPolicy(place, setup, journal, setup.identity())
        training = Training(setup.task, reporter, checkpointing, state)
        reporter.monitor = training.best.monitor.name
        if checkpoint is not None:
            checkpointing.restore(training, checkpoint)
        watcher.ready(setup.plan, setup.loaded, place, str(setup.device))
        training.run()
        checkpointing.write(training)
        training.finish()
        is_last = state.best_weights is None or training.best.monitor.newest
        tested = f"epoch {state.epoch} (last)" if is_last else f"epoch {state.best_epoch} (best)"
        outcome.test, outcome.test_of = _test(training, reporter), tested
        if state.best_weights is None:
            raise UndefinedError(
                f"{reporter.monitor} was never a finite number, so no epoch is the best; the weights of the last "
                f"epoch, {state.epoch}, are {place / run_folder.LAST}"
            )
        journal.sync()  # before run.json says that the run is complete
        comparing = baselines.begin(setup, training, place, outcome.test, watcher)
        try:
            watcher.tested(setup, training, outcome)
        except RunError as error:  # the run is complete without what a watcher makes of it
            watcher.notice(str(error))
        _write_end(setup, info, outcome, "FINISHED")
        outcome.status = "FINISHED"
        outcome.comparison = baselines.compare(comparing, watcher)
    outcome.where = tracking.where()
    return outcome


@contextlib.contextmanager
def _delivery(outcome: Outcome, tracking: Tracking, watcher: RunWatcher) -> Iterator[None]:
    """However training ends, report the status to the tracker; by then a Ctrl-C ends the waiting and nothing else."""
    try:
        yield
    finally:
        if not outcome.state.stop_request.urgent:
            timeout = DELIVERY_WHEN_STOPPED if outcome.status == "KILLED" else DELIVERY
            outcome.undelivered = tracking.end(outcome.status, timeout)
            if outcome.undelivered and outcome.status != "FINISHED":  # no outcome is returned that would carry it
                watcher.notice(f"the tracker: {outcome.undelivered}")


@contextlib.contextmanager
def _ending(setup: TrainingSetup, info: RunInfo, outcome: Outcome) -> Iterator[None]:
    """However training ends: raise a clear error, and write the weights and the status."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        outcome.status = "KILLED"
        raise
    except (LossError, UndefinedError):  # a resumed run would reach the same
        raise
    except (RunError, RuntimeError, MemoryError) as error:
        what = str(error) if isinstance(error, RunError) else out_of_memory(error) or f"torch stopped the run: {error}"
        raise RunError(f"{what}\n  `dlrun resume {info.folder}` resumes once that is fixed") from error
    finally:
        if outcome.status != "FINISHED" and not outcome.state.stop_request.urgent:
            # The user gets the error that stopped the run, not one of writing: on a full disk nothing can be written.
            with contextlib.suppress(RunError):
                _write_end(setup, info, outcome, outcome.status)


def out_of_memory(error: BaseException) -> str:
    """The message for an error about memory; '' for any other error."""
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        less = "a smaller `train.batch_size` needs less, and `train.accumulate` takes several batches a step"
        return f"there is not enough memory; {less}"
    return ""


def _test(training: Training, reporter: _Reporter) -> dict[str, float]:
    task = training.task
    batch = len(task.data.train) if task.settings.batch_size == "full" else task.settings.batch_size
    metrics = training.measure(task.data.test, evaluation_batch(batch))
    if metrics:
        reporter.record({f"test/{name}": value for name, value in metrics.items()})
    return metrics


def _write_start(setup: TrainingSetup, info: RunInfo) -> None:
    for name, text in info.texts.items():
        run_folder.write_text(info.folder / name, text)
    labels = {name: _labels(setup, name) for name, target in setup.loaded.targets.items() if target.labels is not None}
    if labels:
        run_folder.write_json(
            info.folder / run_folder.LABELS, next(iter(labels.values())) if len(labels) == 1 else labels
        )
    run_folder.write_json(info.folder / run_folder.COLUMNS, columns(setup))
    if setup.fitted:
        run_folder.write_tensors(info.folder / run_folder.FITTED, as_tensors(setup.fitted), {})
    # Last: a folder with this file has all files that a run starts with.
    run_folder.write_json(info.folder / run_folder.STARTED, {**about(info), "status": RUNNING})


def _labels(setup: TrainingSetup, name: str) -> list[str]:
    """The classes in the order of the outputs; for a binary target that of 0, then that of 1."""
    data_info = setup.checked.data_info
    assert data_info is not None
    target = data_info.targets[name]
    labels = list(target.labels or ())
    return labels[::-1] if target.positive == 0 else labels


def _write_end(setup: TrainingSetup, info: RunInfo, outcome: Outcome, status: Status) -> None:
    try:
        best, last = _learned(setup, outcome.state)
        keeps_last = status != "FAILED" or outcome.test_of != ""
        write_weights(info.folder, setup.plan, setup.fitted, best, last if keeps_last else None)
    except (RunError, RuntimeError, MemoryError):
        if status == "FINISHED":
            raise
    found = NO_BEST
    with contextlib.suppress(RunError):  # a damaged journal is no failure of the training
        found = best_of(read_journal(info.folder / run_folder.JOURNAL), outcome.state.best_epoch)
    content = about_ended(info, status, now(), found, outcome.test, outcome.test_of)
    run_folder.write_json(info.folder / run_folder.STARTED, content)


def _learned(setup: TrainingSetup, state: TrainingState) -> tuple[Weights | None, Weights | None]:
    """The best and the last weights; none before the first epoch is complete."""
    if state.epoch == 0:
        return None, None
    # With early stopping the best are back in the network at the end, and the last are in the state.
    last = Weights(state.last_weights or measured_weights(setup.network, state.average), state.epoch)
    best = None if state.best_weights is None else Weights(state.best_weights, state.best_epoch)
    return best, last
