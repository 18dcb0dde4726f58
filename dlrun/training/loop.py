"""The one visible training loop.

    while epochs are left and early stopping does not stop:
        order = permutation of the training rows
        for each batch of the order:
            batch = augment(rows of the batch)
            forward, loss, gradient, clip, move             step.py, in one function
            add up the losses and the metrics               loss_totals.py, evaluation.py
            write a checkpoint if it is time                the checkpointer
        measure the validation rows                         evaluation.py
        keep the weights if they are the best               early_stopping.py
        report the epoch's metrics                          the watcher

Nothing in a step waits for the device: losses are written into a buffer that is read when it is full, when an epoch
ends, or when the progress is shown; metrics add up on the device; a batch is an index into tensors that are already
there.

A step depends on the weights, the optimizer's state, torch's generators, and the numbers of epoch and step alone. A
checkpoint between any two steps holds all of these, so a resumed run ends in the same bits as one that was never
interrupted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import torch

from dlrun.data.batches import Batch
from dlrun.modules.random_streams import nth
from dlrun.plan.length import Length, evaluation_batch
from dlrun.training.early_stopping import BestWeights
from dlrun.training.evaluation import Evaluator, Measurement
from dlrun.training.loss_totals import LossTotals
from dlrun.training.speed.fast_step import FastStep
from dlrun.training.state import TrainingState
from dlrun.training.task import Task

LOOK_EVERY = 0.1
"""Seconds between two looks at the figures inside an epoch."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training is."""

    epoch: int
    epochs: int
    step: int
    """Steps done in this epoch."""
    steps: int
    """Steps of this epoch."""
    loss: float
    """The mean loss of the epoch so far; NaN before the first is read."""


class Watcher(Protocol):
    """Is told how training goes."""

    def progress(self, progress: Progress) -> None:
        """A few times a second."""
        ...

    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None:
        """Epoch `epoch` of `epochs` is over."""
        ...


class Keeper(Protocol):
    """Is told of each moment at which training could be kept."""

    def after_step(self, training: Training) -> None:
        """A step is done."""
        ...

    def after_epoch(self, training: Training) -> None:
        """An epoch is done, and told."""
        ...


class Training:
    """A training under way."""

    def __init__(self, task: Task, watcher: Watcher, keeper: Keeper, state: TrainingState):
        self.task, self.watcher, self.keeper, self.state = task, watcher, keeper, state
        self.length = Length.of(task.settings, len(task.data.train))
        self.device = task.device
        self.step = FastStep(task)
        self.evaluate = Evaluator(task.network, task.forward, task.objective, task.watched, self.step.captures)
        self.best = BestWeights(task.settings.early_stopping, task.watched, len(task.data.validation) > 0)
        self.begin_epoch()

    def run(self) -> None:
        """Train until the epochs or steps are done or early stopping says so.

        Raises:
            RunError: the loss is no longer a finite number.
            KeyboardInterrupt, Terminated: somebody has asked for an end; the step under way is done.
        """
        self.task.network.train()
        # Not by steps: a run that was interrupted after its very last one has still to tell that epoch's figures.
        while self.state.epoch < self.length.epochs and not self.state.stopped_early:
            self._epoch()

    def finish(self) -> None:
        """With early stopping, put the best weights back into the network."""
        state, network = self.state, self.task.network
        if self.task.settings.early_stopping is not None and state.best_weights is not None:
            state.last_weights = {name: weight.clone() for name, weight in network.state_dict().items()}
            network.load_state_dict(state.best_weights, strict=False)  # a tied weight may stand once

    def begin_epoch(self) -> None:
        """Get ready for the steps of the epoch that the state is in."""
        task, state = self.task, self.state
        self.order = permutation(task.seed, state.epoch, len(task.data.train), self.device)
        self.steps = min(self.length.per_epoch, self.length.steps - state.epoch * self.length.per_epoch)
        self.losses = LossTotals(state, task.objective.names, bool(task.penalties))
        self.measurement = Measurement(task.watched)
        self.started = time.perf_counter()
        self.look_at = self.started + LOOK_EVERY

    def _epoch(self) -> None:
        """What is left of a pass over the training rows, in an order of its own; then its figures."""
        state = self.state
        for step in range(state.step - state.epoch * self.length.per_epoch, self.steps):
            self._step(self.order[step * self.length.batch : (step + 1) * self.length.batch])
            state.step += 1
            self._look(step + 1)
            self.keeper.after_step(self)
        self.losses.read()
        metrics = self.losses.metrics()
        metrics |= {f"train/{name}": value for name, value in self.measurement.values().items()}
        metrics["lr"] = float(self._learning_rate(state.step - 1))
        metrics["time/epoch"] = self.seconds()
        state.epoch, state.seconds = state.epoch + 1, 0.0
        metrics |= self._validate()
        self.best.see(metrics, self.task.network, state)
        state.stopped_early = state.step < self.length.steps and self.best.should_stop(state)
        self.watcher.epoch(state.epoch, metrics, self.length.epochs)
        self.begin_epoch()
        self.keeper.after_epoch(self)

    def seconds(self) -> float:
        """How long the epoch has taken so far, also before this process took over."""
        return self.state.seconds + time.perf_counter() - self.started

    def _learning_rate(self, step: int) -> float:
        """Of the step after so many."""
        schedule, length, rate = self.task.schedule, self.length, self.task.optimizer.lr
        return rate * schedule.at(rate, step, length.steps, length.per_epoch) if schedule else rate

    def _step(self, rows: torch.Tensor) -> None:
        task, state = self.task, self.state
        batch = task.augment(task.data.train[rows], state.epoch, rows)
        rate = task.optimizer.lr if task.schedule is None else self._learning_rate(state.step)
        losses, measured = self.step(batch, rate)
        self.losses.add(losses, len(rows))
        self.measurement.add(measured)

    def _look(self, step: int) -> None:
        """Show the figures so far, now and then."""
        if time.perf_counter() < self.look_at:
            return
        self.look_at = time.perf_counter() + LOOK_EVERY
        if self.device.type == "cpu":  # elsewhere a look would wait for the device
            self.losses.read()
        progress = Progress(self.state.epoch + 1, self.length.epochs, step, self.steps, self.losses.mean())
        self.watcher.progress(progress)

    def _validate(self) -> dict[str, float]:
        found = self.measure(self.task.data.validation, evaluation_batch(self.length.batch))
        return {f"validation/{name}": value for name, value in found.items()}

    def measure(self, rows: Batch, batch_size: int) -> dict[str, float]:
        """The losses and metrics of the network as it is on some rows; nothing where there are none."""
        if not len(rows):
            return {}
        return self.evaluate(rows, batch_size)


def permutation(seed: int, epoch: int, rows: int, device: torch.device) -> torch.Tensor:
    """The order of the rows in an epoch (rows,): a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(nth(seed, epoch) >> 1)
    return torch.randperm(rows, generator=generator).to(device)
