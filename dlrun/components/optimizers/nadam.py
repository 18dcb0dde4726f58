from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import OptimizerState, Tensors, number, rounded, zeros
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

    counts = ("step", "mu_product")
    counted_by = ("betas", "eps", "momentum_decay")

    lr: PositiveFloat = 2e-3
    momentum_decay: NonNegative = 4e-3
    """How fast the momentum c rises to b1."""

    def state_per_weight(self) -> int:
        return 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        counts = {"step": number(weights), "mu_product": number(weights, 1.0)}
        return counts | {"exp_avg": zeros(weights), "exp_avg_sq": zeros(weights)}

    def count(self, state: OptimizerState) -> Tensors:
        """1/(q*sqrt(1 - b2**t)), eps/q and p/q, where the formula has p*m + q*g.

        There are few operations, because each of them takes as long as one on a small weight.
        """
        import torch

        (steps,), (product,) = state["step"], state["mu_product"]
        steps.add_(1.0)
        fall, half = 0.96**self.momentum_decay, self.betas[0] / 2
        power = fall**steps
        mu = torch.rsub(power, self.betas[0], alpha=half)  # c(t)
        ahead = torch.rsub(power, self.betas[0], alpha=half * fall)  # c(t+1)
        product.mul_(mu)
        inverse = (1.0 - product) / (1.0 - mu)  # 1/q
        ratio = inverse / (ahead.reciprocal() - product)
        scale = inverse / (1.0 - self.betas[1] ** steps).sqrt()
        return rounded([scale, inverse * self.eps, ratio], state["exp_avg"])

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import foreach_add_, foreach_addcdiv_, foreach_mul, foreach_mul_, foreach_sqrt

        (scale, eps, ratio), means = numbers, state["exp_avg"]
        grads = self.shrink(weights, grads, lr)
        self.renew_mean(means, grads)
        self.renew_squares(state["exp_avg_sq"], grads)
        # (p*m + q*g) / (sqrt(v/(1 - b2**t)) + eps), with both parts divided by q
        roots = foreach_sqrt(state["exp_avg_sq"])
        foreach_mul_(roots, scale)
        foreach_add_(roots, eps, alpha=1)  # without alpha it reads the tensor back
        moves = foreach_mul(means, ratio)
        foreach_add_(moves, grads)
        foreach_addcdiv_(weights, moves, roots, value=-lr)
