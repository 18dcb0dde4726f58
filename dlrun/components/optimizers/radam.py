from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import OptimizerState, Tensors, number, rounded, zeros
from dlrun.components.optimizers._decay import EitherDecay
from dlrun.components.optimizers._moments import Moments
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class Radam(Moments, EitherDecay):
    """Adam whose first steps, while its mean square is uncertain, are those of a momentum alone.

    Shape: rho = R - 2*t*b2**t/(1 - b2**t), R = 2/(1 - b2) - 1, m and v as in adam; where rho > 5:
        w = w - lr * r * m/(1 - b1**t) * sqrt(1 - b2**t)/(sqrt(v) + eps),
        r = sqrt((rho - 4)*(rho - 2)*R / ((R - 4)*(R - 2)*rho)); before: w = w - lr * m/(1 - b1**t)
    Reference: Liu and others, On the variance of the adaptive learning rate and beyond, 2020.
    Example: radam: {lr: 1e-3}
    """

    synonyms = ("rectified_adam",)
    counts = ("step",)
    counted_by = ("betas", "eps")

    lr: PositiveFloat = 1e-3

    def state_per_weight(self) -> int:
        return 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {"step": number(weights), "exp_avg": zeros(weights), "exp_avg_sq": zeros(weights)}

    def count(self, state: OptimizerState) -> Tensors:
        """The numbers a and b, for a step of m/(a*sqrt(v) + b).

        There are few operations, because each of them takes as long as one on a small weight.
        """
        import torch

        (steps,) = state["step"]
        steps.add_(1.0)
        first = 1.0 - self.betas[0] ** steps
        most = 2 / (1 - self.betas[1]) - 1
        if most <= 5:  # a mean square that stays uncertain
            return rounded([torch.zeros_like(first), first], state["exp_avg"])
        factor = most / ((most - 4) * (most - 2))
        power = self.betas[1] ** steps
        scaled = torch.rsub(power, factor, alpha=factor)  # (1 - b2**t) * factor
        rho = torch.rsub(steps * power / scaled, most, alpha=2 * factor)
        rectified = ((rho - 6.0).add(rho.reciprocal(), alpha=8.0) * scaled).sqrt()  # r * sqrt(1 - b2**t)
        ratio, certain = first / rectified, rho > 5.0
        # Both forms without a branch, since no number is read back.
        scale = ratio.masked_fill(~certain, 0.0)
        return rounded([scale, torch.where(certain, ratio * self.eps, first)], state["exp_avg"])

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import foreach_add_, foreach_addcdiv_, foreach_mul_, foreach_sqrt

        (scale, least), means = numbers, state["exp_avg"]
        grads = self.shrink(weights, grads, lr)
        self.renew_mean(means, grads)
        self.renew_squares(state["exp_avg_sq"], grads)
        roots = foreach_sqrt(state["exp_avg_sq"])
        foreach_mul_(roots, scale)
        foreach_add_(roots, least, alpha=1)  # without alpha it reads the tensor back
        foreach_addcdiv_(weights, means, roots, value=-lr)
