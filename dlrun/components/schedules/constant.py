from __future__ import annotations

from dlrun.components.schedules import Schedule, in_whole_steps
from dlrun.language.durations import Duration, PositiveDuration
from dlrun.language.fields import Share


class Constant(Schedule):
    """Begin with a part of the learning rate, then jump to all of it.

    A rate that never changes needs no schedule.

    Shape: factor*lr before total_iters; lr from then on
    Reference: torch.optim.lr_scheduler.ConstantLR.
    Example: constant: {factor: 0.1, total_iters: 2 epochs}
    """

    synonyms = ("constant_lr",)

    factor: Share = 1 / 3
    """The part of the rate at the beginning."""
    total_iters: PositiveDuration = Duration(5, "epochs")
    """How long it is smaller."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        smaller = in_whole_steps(epoch, steps_per_epoch) < self.total_iters.in_steps(steps_per_epoch)
        return self.factor if smaller else 1.0
