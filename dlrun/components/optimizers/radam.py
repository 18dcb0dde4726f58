from __future__ import annotations

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

        from dlrun.modules.private_torch import (
            foreach_add_,
            foreach_div_,
            foreach_mul,
            foreach_mul_,
            foreach_reciprocal_,
            foreach_sqrt,
        )

        (steps,), means = state["step"], state["exp_avg"]
        steps.add_(1)
        grads = self.shrink(weights, grads, lr)
        self.renew_mean(means, grads)
        self.renew_squares(state["exp_avg_sq"], grads)
        most = 2 / (1 - self.betas[1]) - 1
        power = self.betas[1] ** steps
        correction = 1 - power
        rho = torch.rsub(steps * power / correction, most, alpha=2)
        certain = rho > 5
        # rho is at most R; each operation on a number takes as long as one on a small weight.
        factor = most / ((most - 4) * (most - 2)) if most > 5 else 0.0
        rectified = ((rho - 4) * (rho - 2) / rho * correction * factor).sqrt()  # times sqrt(1 - b2**t)
        # Both forms at once, without a branch: 1/(roots/0) is 0, as long as the mean square is uncertain.
        moves = foreach_sqrt(state["exp_avg_sq"])
        foreach_add_(moves, self.eps)
        foreach_div_(moves, torch.where(certain, rectified, 0.0))
        foreach_reciprocal_(moves)
        foreach_mul_(moves, means)
        foreach_add_(moves, foreach_mul(means, (~certain).to(rho.dtype)))
        foreach_div_(moves, 1 - self.betas[0] ** steps)
        foreach_add_(weights, moves, alpha=-lr)
