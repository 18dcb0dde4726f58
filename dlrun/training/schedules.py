"""The numbers that schedules change, in each step: learning rates and others."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dlrun.components.optimizers import LR, Optimizer
from dlrun.components.schedules import FollowingSchedule
from dlrun.language.component import SMALLEST
from dlrun.plan.length import Length
from dlrun.plan.monitor import is_rising
from dlrun.plan.schedules import value_at
from dlrun.training.state import TrainingState
from dlrun.training.task import Task

Moves = list[tuple[Optimizer, float]]
"""For each group of weights the optimizer with its settings in one step, and the learning rate."""


class Schedules:
    """The numbers at every step; those that follow a metric depend on `state.schedules` too."""

    def __init__(self, task: Task, length: Length, state: TrainingState):
        self.changing, self.watched, self.length, self.state = task.changing, task.watched, length, state
        self.written: Moves = [(group.optimizer, group.optimizer.lr) for group in task.groups]
        state.schedules = [
            one.schedule.begin() if isinstance(one.schedule, FollowingSchedule) else {}
            for one in task.changing.scheduled
        ]

    def moves(self, step: int) -> Moves:
        """How each group of weights moves in the step after `step` steps; the tensors of other numbers are set."""
        if not self.changing.scheduled:
            return self.written
        moves = list(self.written)
        changed: dict[int, dict[str, float]] = {}
        for place, one in enumerate(self.changing.scheduled):
            number, value, held = one.number, self._at(place, step), self.changing.tensors[place]
            if number.group is None:
                assert held is not None
                held.fill_(value)
            elif number.setting == LR:
                moves[number.group] = moves[number.group][0], value
            else:
                # Never 0, because optimizers keep nothing for a setting of 0; this has the same effect.
                changed.setdefault(number.group, {})[number.setting] = value if value < 0 else max(value, SMALLEST)
        for group, values in changed.items():
            optimizer, lr = moves[group]
            moves[group] = optimizer.with_numbers(values), lr
        return moves

    def _at(self, place: int, step: int) -> float:
        one = self.changing.scheduled[place]
        return value_at(one.number.value, one.schedule, step, self.length) * self.state.schedules[place].get("rate", 1)

    def metrics(self, step: int) -> dict[str, float]:
        """The metrics of an epoch: `lr`, or `lr/1`, `lr/2` and so on of several groups, and the others that change."""
        rates = [float(rate) for _, rate in self.moves(step)]
        found = {LR: rates[0]} if len(rates) == 1 else {f"{LR}/{number}": rate for number, rate in enumerate(rates, 1)}
        others = [(place, one) for place, one in enumerate(self.changing.scheduled) if one.number.name != LR]
        return found | {one.number.label: float(self._at(place, step)) for place, one in others}

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Let the schedules that follow a metric see its value, once their warmup is over."""
        for place, one in enumerate(self.changing.scheduled):
            schedule, state = one.schedule, self.state.schedules[place]
            if not isinstance(schedule, FollowingSchedule):
                continue
            if self.state.step > schedule.warmup.in_steps(self.length.per_epoch):
                value = metrics.get(schedule.monitor, math.nan)
                rising = is_rising(schedule.monitor, self.watched)
                self.state.schedules[place] = schedule.after_epoch(state, one.number.value, value, rising)
