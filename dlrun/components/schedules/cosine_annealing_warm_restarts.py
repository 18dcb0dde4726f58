from __future__ import annotations

from dlrun.components.schedules import Schedule, in_whole_steps
from dlrun.components.schedules._curves import between, cosine
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import NonNegative, Positive


class CosineAnnealingWarmRestarts(Schedule):
    """Lower the learning rate along half a cosine, again and again from the start.

    Shape: eta_min + (lr - eta_min) * (1 + cos(pi * t / T)) / 2, t the time since the last restart, T = T_0, T_0*T_mult,
        T_0*T_mult**2 and so on
    Reference: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    Example: cosine_annealing_warm_restarts: {T_0: 5 epochs, T_mult: 2}
    """

    synonyms = ("cosine_decay_restarts", "warm_restarts", "sgdr")

    T_0: PositiveDuration
    """The time until the first restart."""
    T_mult: Positive = 1
    """How many times longer each period is than the one before."""
    eta_min: NonNegative = 0.0
    """The learning rate at the end of a period."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        since, period = in_whole_steps(epoch, steps_per_epoch), max(1, self.T_0.in_steps(steps_per_epoch))
        if self.T_mult == 1:
            since %= period
        while since >= period:
            since, period = since - period, period * self.T_mult
        return between(1.0, self.eta_min / lr, cosine(since / period))
