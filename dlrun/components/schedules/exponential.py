from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.language.fields import PositiveFloat


class Exponential(Schedule):
    """Multiply the learning rate by gamma over each epoch, a little at every step.

    Shape: lr * gamma**epoch
    Reference: torch.optim.lr_scheduler.ExponentialLR, which changes once an epoch; at whole epochs they agree.
    Example: exponential: 0.95
    """

    synonyms = ("exponential_lr", "exponential_decay")

    gamma: PositiveFloat
    """What the rate is multiplied by over an epoch."""

    def factor(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        return self.gamma**epoch
