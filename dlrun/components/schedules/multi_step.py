from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dlrun.components.schedules import Schedule, in_whole_steps
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import PositiveFloat


class MultiStep(Schedule):
    """Multiply the learning rate by gamma at each of some times.

    Shape: lr * gamma**(the number of milestones that have passed)
    Reference: torch.optim.lr_scheduler.MultiStepLR.
    Example: multi_step: {milestones: [10 epochs, 15 epochs], gamma: 0.1}
    """

    synonyms = ("multi_step_lr", "piecewise_constant", "piecewise_constant_decay")

    milestones: Annotated[tuple[PositiveDuration, ...], Field(min_length=1)]
    """The times of the changes, counted from the end of the warmup."""
    gamma: PositiveFloat = 0.1
    """The factor at each change."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        step = in_whole_steps(epoch, steps_per_epoch)
        return self.gamma ** sum(step >= time.in_steps(steps_per_epoch) for time in self.milestones)
