"""Schedules: how the learning rate and other numbers change, computed from what is written."""

from __future__ import annotations

from typing import ClassVar

from dlrun.language.component import Component
from dlrun.language.durations import Duration, DurationField
from dlrun.language.fields import Names

ScheduleState = dict[str, float]
"""What a schedule keeps from epoch to epoch, by name; only one that follows a metric keeps anything."""


class Schedule(Component):
    """The learning rate at every step, or another number that `of` names, as a multiple of what is written.

    After the warmup the schedule itself begins, at its time 0. The optimizer's rate is the largest one, unless a
    schedule lets it grow. What is said of the learning rate holds for other numbers too.
    """

    family: ClassVar[str] = "schedules"

    of: Names = ("lr",)
    """The numbers that it changes, by name or by pattern (`*` and `?`), such as `momentum` or
    `loss.coefficient`; the learning rate unless given."""
    warmup: DurationField = Duration(0, "epochs")
    """Raise the rate linearly from 0 to the schedule's first rate over this time, such as `2 epochs` or `500 steps`."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        """The learning rate, divided by the optimizer's.

        Args:
            lr: the optimizer's learning rate, or the other number as it is written.
            epoch: time since the warmup, in epochs, with fractions.
            epochs: length of training after the warmup, in epochs.
            steps_per_epoch: for durations in steps.
        """
        raise NotImplementedError

    def at(self, lr: float, step: int, steps: int, steps_per_epoch: int) -> float:
        """The multiple of `lr` at a step, counted from 0, of `steps` in total."""
        warmup = self.warmup.in_steps(steps_per_epoch)
        since, length = max(0, step - warmup), steps - warmup
        rate = self.relative_rate(lr, since / steps_per_epoch, length / steps_per_epoch, steps_per_epoch)
        return rate * (step + 1) / (warmup + 1) if step < warmup else rate

    def needed_steps(self, steps_per_epoch: int) -> int:
        """The steps of its parts of a fixed length; training must be longer."""
        return self.warmup.in_steps(steps_per_epoch)


def in_whole_steps(epoch: float, steps_per_epoch: int) -> int:
    """A time in epochs as the number of steps, so that no rounding moves a change to the next step."""
    return round(epoch * steps_per_epoch)


class FollowingSchedule(Schedule):
    """A schedule that follows a metric: its rate depends on the values at the ends of the epochs so far."""

    monitor: str = "validation/loss"
    """The value to follow: `validation/loss`, or `validation/` and a metric of the spec."""

    def begin(self) -> ScheduleState:
        """What is kept before the first epoch; `rate` is the learning rate, divided by the optimizer's."""
        raise NotImplementedError

    def after_epoch(self, state: ScheduleState, lr: float, value: float, rising: bool) -> ScheduleState:
        """What is kept after one more epoch.

        Args:
            state: what was kept before.
            lr: the optimizer's learning rate.
            value: the metric.
            rising: whether a larger value is better.
        """
        raise NotImplementedError

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        return 1.0  # until the metric changes it
