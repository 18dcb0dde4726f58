from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import OptimizerState, number, zeros
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

    lr: PositiveFloat = 1e-3

    def state_per_weight(self) -> int:
        return 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {"step": number(weights), "exp_avg": zeros(weights), "exp_avg_sq": zeros(weights)}

    def step(self, weights: list[torch.Tensor], grads: list[torch.Tensor], state: OptimizerState, lr: float) -> None:
        import torch

        from dlrun.modules.private_torch import foreach_add_, foreach_addcdiv_, foreach_mul, foreach_mul_, foreach_sqrt

        (steps,), means = state["step"], state["exp_avg"]
        steps.add_(1)
        grads = self.shrink(weights, grads, lr)
        self.renew_mean(means, grads)
        self.renew_squares(state["exp_avg_sq"], grads)
        # Each operation on a number takes as long as one on a small weight, so there are few of them.
        most = 2 / (1 - self.betas[1]) - 1
        factor = most / ((most - 4) * (most - 2)) if most > 5 else 0.0  # of a mean square that stays uncertain: rho < 5
        power = self.betas[1] ** steps
        scaled = torch.rsub(power, factor, alpha=factor)  # (1 - b2**t) * factor
        rho = torch.rsub(steps * power / scaled, most, alpha=2 * factor)
        rectified = ((rho - 6).add(rho.reciprocal(), alpha=8) * scaled).sqrt()  # r * sqrt(1 - b2**t)
        first = 1 - self.betas[0] ** steps
        ratio, certain = first / rectified, rho > 5
        # Both forms one after the other, without a branch: one of them adds 0, divided by inf or multiplied by 0.
        roots = foreach_sqrt(state["exp_avg_sq"])
        foreach_add_(roots, self.eps)
        foreach_mul_(roots, torch.where(certain, ratio, math.inf))
        foreach_addcdiv_(weights, means, roots, value=-lr)
        foreach_add_(weights, foreach_mul(means, ~certain / first), alpha=-lr)
