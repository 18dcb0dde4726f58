from __future__ import annotations

from dlrun.components.schedules import Schedule, in_whole_steps
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import PositiveFloat


class Step(Schedule):
    """Multiply the learning rate by gamma at regular intervals.

    Shape: lr * gamma**floor(epoch / step_size)
    Reference: torch.optim.lr_scheduler.StepLR.
    Example: step: {step_size: 10 epochs, gamma: 0.1}
    """

    synonyms = ("step_lr",)

    step_size: PositiveDuration
    """The time between two changes, such as `10 epochs`."""
    gamma: PositiveFloat = 0.1
    """The factor at each change."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        every = max(1, self.step_size.in_steps(steps_per_epoch))
        return self.gamma ** (in_whole_steps(epoch, steps_per_epoch) // every)
