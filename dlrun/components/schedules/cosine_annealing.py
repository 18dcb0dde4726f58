from __future__ import annotations

from dlrun.components.schedules import Schedule
from dlrun.components.schedules._curves import between, cosine
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import NonNegative


class CosineAnnealing(Schedule):
    """Lower the learning rate along half a cosine: fast in the middle, slow at both ends.

    Shape: eta_min + (lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2; eta_min from T_max on
    Reference: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    Example: cosine_annealing: {warmup: 2 epochs}
    """

    synonyms = ("cosine", "cosine_decay", "cosine_annealing_lr")

    T_max: PositiveDuration | None = None
    """How long it falls; if not given, until the end of training."""
    eta_min: NonNegative = 0.0
    """The learning rate at the end."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        length = self.T_max.in_epochs(steps_per_epoch) if self.T_max else epochs
        progress = min(1.0, epoch / length) if length > 0 else 1.0
        return between(1.0, self.eta_min / lr, cosine(progress))
