from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import PositiveFloat


class Polynomial(Schedule):
    """Let the learning rate fall to 0 as a power of the time that is left.

    Shape: lr * (1 - epoch/total_iters)**power; 0 from total_iters on
    Reference: torch.optim.lr_scheduler.PolynomialLR.
    Example: polynomial: {power: 2.0}
    """

    synonyms = ("polynomial_lr", "polynomial_decay")

    power: PositiveFloat = 1.0
    """The exponent; 1 is a straight line."""
    total_iters: PositiveDuration | None = None
    """How long it falls; if not given, until the end of training."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        length = self.total_iters.in_epochs(steps_per_epoch) if self.total_iters else epochs
        return max(0.0, 1.0 - epoch / length) ** self.power if length > 0 else 0.0
