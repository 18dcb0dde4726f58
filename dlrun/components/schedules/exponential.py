from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.language.fields import PositiveFloat


class Exponential(Schedule):
    """Multiply the learning rate by gamma over each epoch, a little at every step.

    Shape: lr * gamma**epoch
    Reference: torch.optim.lr_scheduler.ExponentialLR, which changes once per epoch; at whole epochs both are equal.
    Example: exponential: 0.95
    """

    synonyms = ("exponential_lr", "exponential_decay")

    gamma: PositiveFloat
    """The factor on the rate over one epoch."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        return self.gamma**epoch
