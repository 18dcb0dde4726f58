from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import OptimizerState, Tensors, number, rounded
from dlrun.components.optimizers._decay import GradientDecay
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class Adagrad(GradientDecay):
    """Divide the step of each weight by the root of the sum of all its squared gradients.

    Shape: s = s + g**2; w = w - lr/(1 + (t - 1)*lr_decay) * g / (sqrt(s) + eps)
    Reference: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning, 2011.
    Example: adagrad: {lr: 0.1}
    """

    synonyms = ("ada_grad",)
    fixed = ("initial_accumulator_value",)
    counts = ("step",)
    counted_by = ("lr_decay",)

    lr: PositiveFloat = 1e-2
    lr_decay: NonNegative = 0.0
    """How fast the learning rate falls with the number t of the step, from 1 on."""
    initial_accumulator_value: NonNegative = 0.0
    """The sum s before the first step."""
    eps: PositiveFloat = 1e-10
    """Added to the root, so it is never 0."""

    def state_per_weight(self) -> int:
        return 1

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        import torch

        first = self.initial_accumulator_value
        sums = [torch.full_like(weight, first, requires_grad=False) for weight in weights]
        return {"sum": sums} | ({"step": number(weights)} if self.lr_decay else {})

    def count(self, state: OptimizerState) -> Tensors:
        if not self.lr_decay:
            return []
        (steps,) = state["step"]
        factor = steps * self.lr_decay + 1.0
        steps.add_(1.0)
        return rounded([factor], state["sum"])

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import (
            foreach_add_,
            foreach_addcdiv_,
            foreach_addcmul_,
            foreach_mul_,
            foreach_sqrt,
        )

        grads = self.decayed(grads, weights)
        foreach_addcmul_(state["sum"], grads, grads, value=1)
        roots = foreach_sqrt(state["sum"])
        foreach_add_(roots, self.eps)
        for factor in numbers:
            foreach_mul_(roots, factor)
        foreach_addcdiv_(weights, grads, roots, value=-lr)
