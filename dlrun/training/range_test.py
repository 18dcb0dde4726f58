"""The learning-rate range test: a few steps at a rate that rises, which show at what rates a network learns.

Reference: Smith, Cyclical learning rates for training neural networks, 2017, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dlrun.errors import RunError
from dlrun.plan.length import Length
from dlrun.training.order import Order
from dlrun.training.schedules import Moves
from dlrun.training.speed.capture import SavedState
from dlrun.training.speed.fast_step import FastStep
from dlrun.training.step_batches import step_batches
from dlrun.training.task import Task

FIRST, LAST, STEPS = 1e-7, 10.0, 100
"""The first and the last learning rate, and the steps between them, each with the same factor on the rate."""
WIDTH = 7
"""How many steps a smoothed loss is the mean of: half of them before its step, half of them behind."""
DIVERGED = 3.0
"""The test ends where the loss lies this much above the least one, in sizes of that one, or of the fall down to it."""

EARLY, BY_CHANCE = 15, 15
"""A fall counts if it is so many times larger than the mean change from step to step in the first few steps: the least
of a hundred means of independent losses lies about 6 such changes below the others, and near the end up to 10."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """The result of a range test."""

    rates: tuple[float, ...]
    """The rate of each step, up to the one in which the loss diverged."""
    losses: tuple[float, ...]
    """The smoothed loss of the same steps."""

    @property
    def lowest(self) -> int:
        """The step with the least loss."""
        return min(range(len(self.losses)), key=self.losses.__getitem__)

    @property
    def fell(self) -> bool:
        """Whether the loss fell further than it moves by chance, at rates that hardly change the weights."""
        first = self.losses[:EARLY]
        by_chance = _mean([abs(later - earlier) for earlier, later in pairwise(first)]) if len(first) > 1 else 0.0
        return _mean(first) - self.losses[self.lowest] > BY_CHANCE * by_chance

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest, over the logarithm of the rate; where it fell at all."""
        falls = [self.losses[step] - self.losses[step + 1] for step in range(self.lowest)]
        return self.rates[falls.index(max(falls))]

    @property
    def tenth(self) -> float:
        """A tenth of the rate with the least loss."""
        return self.rates[self.lowest] / 10


def range_test(task: Task, length: Length) -> RangeTest:
    """Take steps at rising rates; the network and torch's generators are then as they were before.

    The rate is that of the optimizer with the largest `lr`; those of others keep their proportion to it. All other
    numbers are as they are written.

    Raises:
        RunError: the first loss is no finite number.
    """
    network = task.network
    before = SavedState([*network.parameters(), *network.buffers()], task.device)
    network.train()
    try:
        return _rising(task, length)
    finally:
        before.restore()


def _rising(task: Task, length: Length) -> RangeTest:
    step = FastStep(task)
    largest = max(group.optimizer.lr for group in task.groups)
    rates: list[float] = []
    losses: list[float] = []
    for number in range(STEPS):
        rates.append(FIRST * (LAST / FIRST) ** (number / (STEPS - 1)))
        moves = [(group.optimizer, rates[-1] * group.optimizer.lr / largest) for group in task.groups]
        losses.append(_loss_of_step(task, length, step, number, moves))
        if _has_diverged(losses):
            break
    finite = [loss for loss in losses if math.isfinite(loss)]
    if not finite:
        raise RunError(f"the loss is {losses[0]} in the first step; try `preprocess: [standardize]`")
    return RangeTest(tuple(rates[: len(finite)]), _smoothed(finite))


def _loss_of_step(task: Task, length: Length, step: FastStep, number: int, moves: Moves) -> float:
    """Take a step, of several batches where `accumulate` is; the numbers of steps go on from epoch to epoch."""
    epoch, place = divmod(number, length.per_epoch)
    order = Order(task.seed, epoch, len(task.data.train), task.device)
    loss = 0.0
    for batch, _, share, is_last in step_batches(task, length, order, epoch, place):
        losses, _ = step(batch, moves, share) if is_last else step.accumulate(batch, share)
        loss += share * task.minimised.in_step(losses, batch).item()
    return loss


def _has_diverged(losses: Sequence[float]) -> bool:
    """Whether the mean of the last losses lies far above the least such mean, or is no number."""
    if not math.isfinite(losses[-1]):
        return True
    means = [_mean(losses[end - WIDTH : end]) for end in range(WIDTH, len(losses) + 1)]
    if not means:
        return False
    least = min(means)
    return means[-1] - least > DIVERGED * max(abs(least), means[0] - least)


def _smoothed(losses: Sequence[float]) -> tuple[float, ...]:
    """The mean around each loss, of fewer at the ends."""
    half = WIDTH // 2
    return tuple(_mean(losses[max(0, step - half) : step + half + 1]) for step in range(len(losses)))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
