"""The two ways in which optimizers shrink weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.optimizers import Optimizer
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import torch


class GradientDecay(Optimizer):
    """An optimizer whose weight decay is a part of the gradient."""

    weight_decay: NonNegative = 0.0
    """Adds weight_decay*w to every gradient, also of biases, before anything else. This is not the regularizer `l2: k`,
    which adds 2*k*w and by default leaves out biases."""

    def decayed(self, grads: list[torch.Tensor], weights: list[torch.Tensor]) -> list[torch.Tensor]:
        """The gradients with the decay in them; those that are given do not change."""
        from dlrun.modules.private_torch import foreach_add

        return list(foreach_add(grads, weights, alpha=self.weight_decay)) if self.weight_decay else grads


class DirectDecay(Optimizer):
    """An optimizer whose weight decay shrinks the weights themselves."""

    weight_decay: NonNegative
    """Multiplies every weight, also biases, by 1 - lr*weight_decay at each step. This is not the regularizer `l2: k`,
    which changes the gradient."""

    def decay(self, weights: list[torch.Tensor], lr: float) -> None:
        """Shrink the weights."""
        multiply(weights, 1 - lr * self.weight_decay)


class EitherDecay(GradientDecay):
    """An optimizer with a choice of the two."""

    decoupled_weight_decay: bool = False
    """Multiply every weight by 1 - lr*weight_decay instead, without the gradient, as adamw does."""

    def shrink(self, weights: list[torch.Tensor], grads: list[torch.Tensor], lr: float) -> list[torch.Tensor]:
        """Shrink the weights if the decay is decoupled; the gradients, with the decay in them if it is not."""
        if not self.decoupled_weight_decay:
            return self.decayed(grads, weights)
        multiply(weights, 1 - lr * self.weight_decay)
        return grads


def multiply(weights: list[torch.Tensor], factor: float) -> None:
    """Multiply all weights by one factor, in place."""
    from dlrun.modules.private_torch import foreach_mul_

    if factor != 1:
        foreach_mul_(weights, factor)
