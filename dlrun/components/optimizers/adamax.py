from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import OptimizerState, Tensors, number, rounded, zeros
from dlrun.components.optimizers._decay import GradientDecay
from dlrun.components.optimizers._moments import Moments
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class Adamax(Moments, GradientDecay):
    """Adam with the largest recent gradient of each weight in place of the root mean square.

    Shape: m = b1*m + (1 - b1)*g; u = max(b2*u, |g| + eps); w = w - lr * m/(1 - b1**t) / u
    Reference: Kingma and Ba, Adam: a method for stochastic optimization, 2015, section 7.1.
    Example: adamax: {lr: 2e-3}
    """

    synonyms = ("ada_max",)
    counts = ("step",)
    counted_by = ("betas",)

    lr: PositiveFloat = 2e-3
    eps: PositiveFloat = 1e-8
    """Added to the size of the gradient, so it is never 0."""

    def state_per_weight(self) -> int:
        return 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {"step": number(weights), "exp_avg": zeros(weights), "exp_inf": zeros(weights)}

    def count(self, state: OptimizerState) -> Tensors:
        (steps,) = state["step"]
        steps.add_(1.0)
        return rounded([1.0 - self.betas[0] ** steps], state["exp_avg"])

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import (
            foreach_abs,
            foreach_add_,
            foreach_addcdiv_,
            foreach_clamp_min_,
            foreach_mul,
            foreach_mul_,
        )

        (corrected,), means, largest = numbers, state["exp_avg"], state["exp_inf"]
        grads = self.decayed(grads, weights)
        self.renew_mean(means, grads)
        foreach_mul_(largest, self.betas[1])
        sizes = foreach_abs(grads)
        foreach_add_(sizes, self.eps)
        foreach_clamp_min_(largest, sizes)
        foreach_addcdiv_(weights, means, foreach_mul(largest, corrected), value=-lr)
