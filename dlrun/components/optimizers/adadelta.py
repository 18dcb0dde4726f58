from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.components.optimizers import Beta, OptimizerState, Tensors, zeros
from dlrun.components.optimizers._decay import GradientDecay
from dlrun.components.optimizers._moments import renew_squares
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class Adadelta(GradientDecay):
    """Steps as long as the root mean square of the steps before, over that of the gradients.

    Shape: v = rho*v + (1 - rho)*g**2; d = sqrt(u + eps)/sqrt(v + eps) * g; u = rho*u + (1 - rho)*d**2; w = w - lr*d
    Reference: Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    Example: adadelta
    """

    synonyms = ("ada_delta",)

    lr: PositiveFloat = 1.0
    rho: Beta = 0.9
    """The weight of the old mean squares at each step."""
    eps: PositiveFloat = 1e-6
    """Added to the mean squares, so that no root is 0; it decides the length of the first steps."""

    def state_per_weight(self) -> int:
        return 2

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {"square_avg": zeros(weights), "acc_delta": zeros(weights)}

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import foreach_add, foreach_add_, foreach_div_, foreach_mul_, foreach_sqrt_

        grads = self.decayed(grads, weights)
        renew_squares(state["square_avg"], grads, self.rho)
        roots = foreach_add(state["square_avg"], self.eps)
        foreach_sqrt_(roots)
        moves = foreach_add(state["acc_delta"], self.eps)
        foreach_sqrt_(moves)
        foreach_div_(moves, roots)
        foreach_mul_(moves, grads)
        renew_squares(state["acc_delta"], moves, self.rho)
        foreach_add_(weights, moves, alpha=-lr)
