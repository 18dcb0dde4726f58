from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import Beta, OptimizerState, Tensors, zeros
from dlrun.components.optimizers._decay import DirectDecay
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class Lion(DirectDecay):
    """Move each weight by the learning rate, against the sign of a running mean of its gradient.

    All weights move equally far, so its learning rate is a third to a tenth of that of adam.

    Shape: w = w - lr*weight_decay*w - lr*sign(b1*m + (1 - b1)*g); m = b2*m + (1 - b2)*g
    Reference: Chen and others, Symbolic discovery of optimization algorithms, 2023.
    Example: lion: {lr: 1e-4, weight_decay: 0.1}
    """

    lr: PositiveFloat = 1e-4
    betas: tuple[Beta, Beta] = (0.9, 0.99)
    """The weight of the old mean at each step: in the sign, and in the mean that is kept."""
    weight_decay: NonNegative = 0.0

    def state_per_weight(self) -> int:
        return 1

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {"exp_avg": zeros(weights)}

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import foreach_add_, foreach_lerp, foreach_lerp_, foreach_sign_

        self.decay(weights, lr)
        moves = foreach_lerp(state["exp_avg"], grads, 1 - self.betas[0])
        foreach_sign_(moves)
        foreach_add_(weights, moves, alpha=-lr)
        foreach_lerp_(state["exp_avg"], grads, 1 - self.betas[1])
