"""The learning rate of each group of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dlrun.components.schedules import FollowingSchedule
from dlrun.plan.length import Length
from dlrun.plan.objective import Watched, is_rising
from dlrun.plan.rates import rate_at
from dlrun.training.state import TrainingState
from dlrun.training.task import WeightGroup


class Rates:
    """The learning rates at every step; those that follow a metric depend on `state.schedules` too."""

    def __init__(self, groups: Sequence[WeightGroup], length: Length, watched: Sequence[Watched], state: TrainingState):
        self.groups, self.length, self.watched, self.state = groups, length, watched, state
        self.constant = [group.optimizer.lr for group in groups] if all(g.schedule is None for g in groups) else None
        state.schedules = [
            group.schedule.begin() if isinstance(group.schedule, FollowingSchedule) else {} for group in groups
        ]

    def at(self, step: int) -> list[float]:
        """The learning rate of each group in the step after `step` steps."""
        if self.constant is not None:
            return self.constant
        return [self._at(number, step) for number in range(len(self.groups))]

    def _at(self, number: int, step: int) -> float:
        group, state = self.groups[number], self.state.schedules[number]
        return rate_at(group.optimizer, group.schedule, step, self.length) * state.get("rate", 1.0)

    def metrics(self, step: int) -> dict[str, float]:
        """The rates as an epoch's metrics: `lr`, or `lr/1`, `lr/2` and so on of several groups."""
        rates = [float(rate) for rate in self.at(step)]
        return {"lr": rates[0]} if len(rates) == 1 else {f"lr/{number}": rate for number, rate in enumerate(rates, 1)}

    def after_epoch(self, metrics: Mapping[str, float]) -> None:
        """Let the schedules that follow a metric see its value, once their warmup is over."""
        for number, group in enumerate(self.groups):
            schedule, state = group.schedule, self.state.schedules[number]
            if not isinstance(schedule, FollowingSchedule):
                continue
            if self.state.step > schedule.warmup.in_steps(self.length.per_epoch):
                value = metrics.get(schedule.monitor, math.nan)
                rising = is_rising(schedule.monitor, self.watched)
                self.state.schedules[number] = schedule.after_epoch(state, group.optimizer.lr, value, rising)
