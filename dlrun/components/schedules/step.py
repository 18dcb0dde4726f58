from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import PositiveFloat


class Step(Schedule):
    """Multiply the learning rate by gamma every so often.

    Shape: lr * gamma**floor(epoch / step_size)
    Reference: torch.optim.lr_scheduler.StepLR.
    Example: step: {step_size: 10 epochs, gamma: 0.1}
    """

    synonyms = ("step_lr",)

    step_size: PositiveDuration
    """How long the rate stays the same, such as `10 epochs`."""
    gamma: PositiveFloat = 0.1
    """What it is multiplied by each time."""

    def factor(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        # In whole steps, so that no rounding moves a change to the step after.
        every = max(1, self.step_size.in_steps(steps_per_epoch))
        return self.gamma ** (round(epoch * steps_per_epoch) // every)
