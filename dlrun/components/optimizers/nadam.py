from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import OptimizerState, number, zeros
from dlrun.components.optimizers._decay import EitherDecay
from dlrun.components.optimizers._moments import Moments
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class Nadam(Moments, EitherDecay):
    """Adam with Nesterov's momentum: the step looks ahead along the mean gradient.

    Shape: c(t) = b1*(1 - 0.96**(t*momentum_decay)/2), p(t) = c(1)*...*c(t), m and v as in adam;
        w = w - lr * (c(t+1)*m/(1 - p(t+1)) + (1 - c(t))*g/(1 - p(t))) / (sqrt(v/(1 - b2**t)) + eps)
    Reference: Dozat, Incorporating Nesterov momentum into Adam, 2016.
    Example: nadam: {lr: 2e-3}
    """

    lr: PositiveFloat = 2e-3
    momentum_decay: NonNegative = 4e-3
    """How fast the momentum c rises to b1."""

    def state_per_weight(self) -> int:
        return 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        counts = {"step": number(weights), "mu_product": number(weights, 1.0)}
        return counts | {"exp_avg": zeros(weights), "exp_avg_sq": zeros(weights)}

    def step(self, weights: list[torch.Tensor], grads: list[torch.Tensor], state: OptimizerState, lr: float) -> None:
        import torch

        from dlrun.modules.private_torch import foreach_add_, foreach_addcdiv_, foreach_div, foreach_mul, foreach_sqrt_

        (steps,), (product,), means = state["step"], state["mu_product"], state["exp_avg"]
        steps.add_(1)
        grads = self.shrink(weights, grads, lr)
        # c(t) and c(t+1); each operation on a number takes as long as one on a small weight.
        fall, half = 0.96**self.momentum_decay, self.betas[0] / 2
        power = fall**steps
        mu = torch.rsub(power, self.betas[0], alpha=half)
        ahead = torch.rsub(power, self.betas[0], alpha=half * fall)
        product.mul_(mu)
        self.renew_mean(means, grads)
        self.renew_squares(state["exp_avg_sq"], grads)
        roots = foreach_div(state["exp_avg_sq"], 1 - self.betas[1] ** steps)
        foreach_sqrt_(roots)
        foreach_add_(roots, self.eps)
        moves = foreach_div(means, ahead.reciprocal() - product)  # times ahead / (1 - ahead*product)
        foreach_add_(moves, foreach_mul(grads, (1 - mu) / (1 - product)))
        foreach_addcdiv_(weights, moves, roots, value=-lr)
