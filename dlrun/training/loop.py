"""The one visible training loop.

Nothing in a step waits for the device: losses are written into a buffer that is read when it is full, when an epoch
ends, or when somebody looks; metrics gather on the device; a batch is an index into tensors that are already there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from dlrun.components.losses import Ending, Loss
from dlrun.components.metrics import Metric
from dlrun.components.optimizers import Optimizer
from dlrun.components.schedules import Schedule
from dlrun.data.prepare import Prepared
from dlrun.length import Length, evaluation_batch
from dlrun.shapes import Shape
from dlrun.spec.experiment import TrainSection
from dlrun.training.evaluation import Measurement, evaluate
from dlrun.training.losses import Losses, State

LOOK_EVERY = 0.1
"""Seconds between two looks at the figures inside an epoch."""


@dataclass(frozen=True, slots=True)
class Task:
    """All that the loop trains with."""

    network: nn.Module
    data: Prepared
    loss: Loss
    metrics: Sequence[Metric]
    penalties: Sequence[tuple[Any, list[nn.Parameter]]]
    optimizer: Optimizer
    schedule: Schedule | None
    settings: TrainSection
    seed: int
    ending: Ending
    output: Shape


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

    def epoch(self, epoch: int, figures: dict[str, float], epochs: int) -> None:
        """Epoch `epoch` of `epochs` is over."""
        ...


def train(task: Task, watcher: Watcher, state: State) -> None:
    """Train until the epochs or steps are done or early stopping says so; `state` is kept up to date.

    With early stopping the best weights are back in the network at the end.

    Raises:
        RunError: the loss is no longer a finite number.
    """
    length = Length.of(task.settings, len(task.data.train_x))
    optimizer = task.optimizer.build(p for p in task.network.parameters() if p.requires_grad)
    rate = optimizer.param_groups[0]["lr"]
    choice = Choice(task)
    task.network.train()
    while state.step < length.steps:
        started = time.perf_counter()
        figures = _epoch(task, optimizer, rate, length, state, watcher)
        figures["time/epoch"] = time.perf_counter() - started
        state.epoch += 1
        figures |= _validate(task, length.batch)
        choice.see(figures, state)
        watcher.epoch(state.epoch, figures, length.epochs)
        state.ending.check()
        if choice.should_stop(state):
            state.stopped_early = state.step < length.steps
            break
    if task.settings.early_stopping is not None and state.best_weights is not None:
        state.last_weights = {name: weight.clone() for name, weight in task.network.state_dict().items()}
        task.network.load_state_dict(state.best_weights)


def _epoch(task: Task, optimizer: Any, rate: float, length: Length, state: State, watcher: Watcher) -> dict[str, float]:
    """One pass over the training rows in an order of its own; gives the epoch's figures."""
    x, y = task.data.train_x, task.data.train_y
    order = permutation(task.seed, state.epoch, len(x), x.device)
    steps = min(length.per_epoch, length.steps - state.step)
    losses = Losses(steps, state, x.device)
    measurement = Measurement(task.metrics, task.ending, task.output)
    clip, schedule = task.settings.clip_grad_norm, task.schedule
    look_at = time.perf_counter() + LOOK_EVERY
    for step in range(steps):
        if schedule is not None:
            factor = schedule.at(rate, state.step, length.steps, length.per_epoch)
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        index = order[step * length.batch : (step + 1) * length.batch]
        target = y[index]
        output = task.network(x[index])
        loss = task.loss(output, target, task.ending)
        penalty = penalize(task.penalties)
        (loss if penalty is None else loss + penalty).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(task.network.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            losses.add(loss, penalty, len(index))
            measurement.add(output, target)
        state.step += 1
        state.ending.check()
        if time.perf_counter() >= look_at:
            look_at = time.perf_counter() + LOOK_EVERY
            if x.device.type == "cpu":  # elsewhere a look would wait for the device
                losses.read()
            watcher.progress(Progress(state.epoch + 1, length.epochs, step + 1, steps, losses.mean()))
    losses.read()
    figures = {"train/loss": losses.mean(), **losses.penalty()}
    figures |= {f"train/{name}": value for name, value in measurement.values().items()}
    return figures | {"lr": float(optimizer.param_groups[0]["lr"])}


def penalize(penalties: Sequence[tuple[Any, list[nn.Parameter]]]) -> torch.Tensor | None:
    """The sum of all penalties on the weights as they are."""
    total: torch.Tensor | None = None
    for regularizer, weights in penalties:
        penalty = regularizer.penalty(weights)
        total = penalty if total is None else total + penalty
    return total


def _validate(task: Task, batch: int) -> dict[str, float]:
    if not len(task.data.validation_x):
        return {}
    measurement = Measurement(task.metrics, task.ending, task.output)
    size = evaluation_batch(batch)
    found = evaluate(task.network, task.data.validation_x, task.data.validation_y, task.loss, measurement, size)
    return {f"validation/{name}": value for name, value in found.items()}


def permutation(seed: int, epoch: int, rows: int, device: torch.device) -> torch.Tensor:
    """The order of the rows in an epoch (rows,): a function of seed and epoch alone."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    return torch.randperm(rows, generator=generator).to(device)


def mix(seed: int, epoch: int) -> int:
    """A seed for one epoch, far from those of other epochs and seeds (the finalizer of splitmix64)."""
    z = (seed + (epoch + 1) * 0x9E3779B97F4A7C15) & (2**64 - 1)
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return (z ^ (z >> 31)) >> 1


def default_monitor(task: Task) -> str:
    """What the best weights are best by where the spec does not say."""
    return "validation/loss" if len(task.data.validation_x) else "train/loss"


@dataclass(slots=True)
class Choice:
    """Which weights are best, and when to stop looking for better ones."""

    task: Task
    waited: int = 0
    monitor: str = field(init=False)
    better: Callable[[float, float], bool] = field(init=False)

    def __post_init__(self) -> None:
        stopping = self.task.settings.early_stopping
        self.monitor = stopping.monitor if stopping else default_monitor(self.task)
        delta = stopping.min_delta if stopping else 0.0
        kind = self.monitor.partition("/")[2]
        rising = any(metric.kind == kind and metric.greater_is_better for metric in self.task.metrics)
        self.better = (lambda new, old: new > old + delta) if rising else (lambda new, old: new < old - delta)

    def see(self, figures: dict[str, float], state: State) -> None:
        """Keep the weights if they are the best so far."""
        value = figures.get(self.monitor, math.nan)
        if not math.isnan(value) and (math.isnan(state.best_value) or self.better(value, state.best_value)):
            state.best_value, state.best_epoch, self.waited = value, state.epoch, 0
            state.best_weights = {name: weight.clone() for name, weight in self.task.network.state_dict().items()}
        else:
            self.waited += 1

    def should_stop(self, state: State) -> bool:
        """Whether patience is at its end."""
        stopping = self.task.settings.early_stopping
        return stopping is not None and self.waited >= stopping.patience
