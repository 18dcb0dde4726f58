from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.language.fields import NonNegative


class Fractional(Schedule):
    """Divide the learning rate by a number that grows evenly with time.

    Shape: lr / (1 + k*epoch)
    Reference: Robbins and Monro, A stochastic approximation method, 1951.
    Example: fractional: 0.5
    """

    synonyms = ("inverse_time_decay", "inverse_time", "time_based_decay")

    k: NonNegative
    """How much the divisor grows in each epoch."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        return 1 / (1 + self.k * epoch)
