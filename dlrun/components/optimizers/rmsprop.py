from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import Beta, OptimizerState, Tensors, zeros
from dlrun.components.optimizers._decay import GradientDecay
from dlrun.components.optimizers._moments import renew_squares
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class Rmsprop(GradientDecay):
    """Divide the step of each weight by a running root mean square of its gradient.

    Shape: v = alpha*v + (1 - alpha)*g**2; w = w - lr*g / (sqrt(v) + eps)
    Reference: Tieleman and Hinton, lecture 6.5 of Neural networks for machine learning, 2012.
    Example: rmsprop: {lr: 1e-3}
    """

    synonyms = ("rms_prop",)

    lr: PositiveFloat = 1e-2
    alpha: Beta = 0.99
    """The weight of the old mean square at each step."""
    eps: PositiveFloat = 1e-8
    """Added to the root, so it is never 0."""
    momentum: NonNegative = 0.0
    """The share of the last step that is added to the next."""
    centered: bool = False
    """Divide by the standard deviation instead: the squared mean gradient is subtracted from the mean square."""

    def state_per_weight(self) -> int:
        return 1 + bool(self.momentum) + self.centered

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        state = {"square_avg": zeros(weights)}
        state |= {"momentum_buffer": zeros(weights)} if self.momentum else {}
        return state | ({"grad_avg": zeros(weights)} if self.centered else {})

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import (
            foreach_add_,
            foreach_addcdiv_,
            foreach_addcmul,
            foreach_lerp_,
            foreach_mul_,
            foreach_sqrt,
            foreach_sqrt_,
        )

        grads = self.decayed(grads, weights)
        squares = state["square_avg"]
        renew_squares(squares, grads, self.alpha)
        if self.centered:
            means = state["grad_avg"]
            foreach_lerp_(means, grads, 1 - self.alpha)
            roots = foreach_addcmul(squares, means, means, value=-1)
            foreach_sqrt_(roots)
        else:
            roots = foreach_sqrt(squares)
        foreach_add_(roots, self.eps)
        if self.momentum:
            moves = state["momentum_buffer"]
            foreach_mul_(moves, self.momentum)
            foreach_addcdiv_(moves, grads, roots)
            foreach_add_(weights, moves, alpha=-lr)
        else:
            foreach_addcdiv_(weights, grads, roots, value=-lr)
