"""Schedules: how the learning rate changes, computed from the optimizer's rate."""

from __future__ import annotations

from typing import ClassVar

from dlrun.language.component import Component
from dlrun.language.durations import Duration, DurationField


class Schedule(Component):
    """A factor on the learning rate at every step. After the warmup the schedule itself begins, at its time 0."""

    family: ClassVar[str] = "schedules"

    warmup: DurationField = Duration(0, "epochs")
    """Raise the rate linearly from 0 to the optimizer's rate over this time, such as `2 epochs` or `500 steps`."""

    def factor(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        """The factor on the learning rate.

        Args:
            lr: the optimizer's learning rate.
            epoch: time since the warmup, in epochs, with fractions.
            epochs: length of training after the warmup, in epochs.
            steps_per_epoch: for durations in steps.
        """
        raise NotImplementedError

    def at(self, lr: float, step: int, steps: int, steps_per_epoch: int) -> float:
        """The factor on `lr` at a step, counted from 0, of `steps` in total."""
        warmup = self.warmup.in_steps(steps_per_epoch)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        since, length = step - warmup, steps - warmup
        return self.factor(lr, since / steps_per_epoch, length / steps_per_epoch, steps_per_epoch)
