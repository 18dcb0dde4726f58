from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.components.schedules._curves import between
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import NonNegative


class Linear(Schedule):
    """Let the learning rate go from one part of the optimizer's rate to another in a straight line.

    With a part above 1 it rises beyond what is written.

    Shape: lr * (start_factor + (end_factor - start_factor) * epoch/total_iters); lr*end_factor from total_iters on
    Reference: torch.optim.lr_scheduler.LinearLR, which by default goes from 1/3 to 1 within 5 epochs.
    Example: linear: 0.0
    """

    synonyms = ("linear_lr", "linear_decay")

    end_factor: NonNegative
    """The part of the rate at the end."""
    start_factor: NonNegative = 1.0
    """The part of the rate at the beginning."""
    total_iters: PositiveDuration | None = None
    """How long it changes; if not given, until the end of training."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        length = self.total_iters.in_epochs(steps_per_epoch) if self.total_iters else epochs
        left = max(0.0, 1.0 - epoch / length) if length > 0 else 0.0
        return between(self.start_factor, self.end_factor, left)
