"""The one visible training loop.

    while epochs are left and early stopping does not stop:
        order = permutation of the training rows
        for each batch of the order:                        or for several, whose gradients are averaged
            batch = augment(rows of the batch)
            let weights that were frozen at first move, if it is time
            forward, loss, gradient, clip, move             step.py, in one function
            add up the losses and the metrics               loss_totals.py, evaluation.py
            add the weights to their average                averaging.py; or once an epoch
            write a checkpoint if it is time                the checkpointer
        measure the validation rows, with the average       evaluation.py
        let the schedules follow what was measured          schedules.py
        copy the weights if they are the best               early_stopping.py
        report the epoch's metrics                          the watcher

Nothing in a step waits for the device: losses are written into a buffer that is read when it is full, when an epoch
ends, or when the progress is shown; metrics add up on the device; a batch is an index into tensors that are already
there, or, of an input that stays in its file, the rows that are read.

A step depends on the weights, the optimizer's state, torch's generators, and the numbers of epoch and step alone. A
checkpoint between any two steps holds all of these, so a resumed run ends in the same bits as one that was never
interrupted.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any, Protocol

from dlrun.data.rows import Rows
from dlrun.plan.length import Length, evaluation_batch
from dlrun.training.averaging import AveragedWeights, measured_weights
from dlrun.training.early_stopping import BestWeights
from dlrun.training.evaluation import Evaluator, Measurement
from dlrun.training.loss_totals import LossTotals
from dlrun.training.order import Order
from dlrun.training.schedules import Schedules
from dlrun.training.speed.fast_step import FastStep
from dlrun.training.state import TrainingState
from dlrun.training.step_batches import step_batches
from dlrun.training.task import Task

REPORT_EVERY = 0.1
"""Seconds between two reports of progress within an epoch."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress within an epoch."""

    epoch: int
    epochs: int
    step: int
    """Steps done in this epoch."""
    steps: int
    """Steps of this epoch."""
    loss: float
    """The mean loss of the epoch so far; NaN before the first loss is read."""


class Watcher(Protocol):
    """Is called with the progress of training."""

    def progress(self, progress: Progress) -> None:
        """Called a few times a second."""
        ...

    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None:
        """Called after epoch `epoch` of `epochs`."""
        ...


class Checkpointer(Protocol):
    """Is called at each moment at which a checkpoint may be written."""

    def after_step(self, training: Training) -> None:
        """Called after a step."""
        ...

    def after_epoch(self, training: Training) -> None:
        """Called after an epoch, when its metrics are reported."""
        ...


class Training:
    """A training in progress."""

    def __init__(self, task: Task, watcher: Watcher, checkpointer: Checkpointer, state: TrainingState):
        self.task, self.watcher, self.checkpointer, self.state = task, watcher, checkpointer, state
        self.length = Length.of(task.settings, len(task.data.train))
        self.device = task.device
        self.step = FastStep(task)
        self.schedules = Schedules(task, self.length, state)
        self.evaluate = self._evaluator()
        average: Any = task.settings.average
        if average is not None:
            state.average = AveragedWeights(average, self.step.weights, task.network)
        validated = len(task.data.validation) > 0
        self.best = BestWeights(task.settings, task.watched, validated, self.length)
        self.begin_epoch()

    def run(self) -> None:
        """Train until the epochs or steps are done, or until early stopping.

        Raises:
            RunError: the loss is no longer a finite number.
            KeyboardInterrupt, Terminated: a signal asked the run to stop; the current step is done.
        """
        self.task.network.train()
        # Not by steps: a run that was interrupted after its very last one still has to report that epoch's metrics.
        while self.state.epoch < self.length.epochs and not self.state.stopped_early:
            self._epoch()

    def _evaluator(self) -> Evaluator:
        task = self.task
        return Evaluator(task.network, task.forward, task.objective, task.watched, self.step.captures)

    def unfreeze(self) -> None:
        """Let the weights that were frozen at first move too. Captured code knows the others alone, and is dropped."""
        # Weights that begin to move have not changed so far, so they are their own average.
        average, averages = self.state.average, measured_weights(self.task.network, self.state.average)
        self.task, self.state.unfrozen = self.task.unfrozen(), True
        for bound in self.task.bounds:
            bound()
        before, self.step = self.step, FastStep(self.task)
        self.step.resume([*before.states, *self.step.states[len(before.states) :]])
        if average is not None:
            self.state.average = AveragedWeights(average.kind, self.step.weights, self.task.network)
            if average.count:
                self.state.average.begin(averages, average.count, self.task.network)
        self.evaluate = self._evaluator()

    def finish(self) -> None:
        """Put the best weights back into the network, for the test; where none are the best, the last ones."""
        state, network = self.state, self.task.network
        state.last_weights = measured_weights(network, state.average)
        network.load_state_dict(state.best_weights or state.last_weights, strict=False)  # a tied weight may lie once

    def begin_epoch(self) -> None:
        """Prepare the current epoch."""
        task, state = self.task, self.state
        self.order = Order(task.seed, state.epoch, len(task.data.train), self.device)
        self.steps = min(self.length.per_epoch, self.length.steps - state.epoch * self.length.per_epoch)
        self.losses = LossTotals(state, task.minimised, task.penalized)
        self.rows = min(self.steps * self.length.step_rows, self.length.rows)
        self.measurement = Measurement(task.watched, self.rows)
        self.started = time.perf_counter()
        self.report_at = self.started + REPORT_EVERY

    def _epoch(self) -> None:
        """Do the remaining steps of the current epoch; then measure, and report its metrics."""
        state = self.state
        for step in range(state.step - state.epoch * self.length.per_epoch, self.steps):
            if (unfreezing := self.task.unfreezing) is not None and state.step >= unfreezing.step:
                self.unfreeze()
            self._step(step)
            state.step += 1
            if state.average is not None and not state.average.kind.each_epoch:
                self._add_to_average(state.average)
            self._report_progress(step + 1)
            self.checkpointer.after_step(self)
        self.losses.read()
        metrics = self.losses.metrics()
        metrics |= {f"train/{name}": value for name, value in self.measurement.values().items()}
        metrics |= self.schedules.metrics(state.step - 1)
        metrics["time/epoch"] = self.seconds()
        if state.average is not None and state.average.kind.each_epoch:
            self._add_to_average(state.average)
        state.epoch, state.seconds = state.epoch + 1, 0.0
        with contextlib.nullcontext() if state.average is None else state.average.in_place():
            metrics |= self._validate()
            self.best.update(metrics, self.task.network, state)
        self.schedules.after_epoch(metrics)
        state.stopped_early = state.step < self.length.steps and self.best.should_stop(state)
        self.watcher.epoch(state.epoch, metrics, self.length.epochs)
        self.begin_epoch()
        self.checkpointer.after_epoch(self)

    def seconds(self) -> float:
        """Seconds that the epoch has taken so far, also before the run was resumed."""
        return self.state.seconds + time.perf_counter() - self.started

    def _step(self, step: int) -> None:
        """Do a step of the epoch, by its number; of several batches, the last one completes it."""
        moves = self.schedules.moves(self.state.step)
        for batch, rows, share, is_last in step_batches(self.task, self.length, self.order, self.state.epoch, step):
            losses, measured = self.step(batch, moves, share) if is_last else self.step.accumulate(batch, share)
            self.losses.add(losses, rows, share)
            self.measurement.add(measured)

    def _add_to_average(self, average: AveragedWeights) -> None:
        """Add the weights to their average, if it has begun; some averages then need a pass over the epoch's rows."""
        task, state, size = self.task, self.state, self.length.batch
        if state.step < average.kind.start().in_steps(self.length.per_epoch):
            return
        average.add()
        if average.kind.recomputes and average.norms:
            batches = (
                task.augment(task.data.train, state.epoch, self.order.part(start, min(start + size, self.rows)))
                for start in range(0, self.rows, size)
            )
            average.recompute(task.forward, batches)

    def _report_progress(self, step: int) -> None:
        """Report the progress, if it is time."""
        if time.perf_counter() < self.report_at:
            return
        self.report_at = time.perf_counter() + REPORT_EVERY
        if self.device.type == "cpu":  # elsewhere reading would wait for the device
            self.losses.read()
        progress = Progress(self.state.epoch + 1, self.length.epochs, step, self.steps, self.losses.mean())
        self.watcher.progress(progress)

    def _validate(self) -> dict[str, float]:
        metrics = self.measure(self.task.data.validation, evaluation_batch(self.length.batch))
        return {f"validation/{name}": value for name, value in metrics.items()}

    def measure(self, rows: Rows, batch_size: int) -> dict[str, float]:
        """The losses and metrics of the current network on some rows; empty without rows."""
        if not len(rows):
            return {}
        return self.evaluate(rows, batch_size)
