from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dlrun.components.optimizers import OptimizerState, Tensors, zeros
from dlrun.components.optimizers._decay import DirectDecay
from dlrun.language.fields import NonNegative, PositiveFloat
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Muon(DirectDecay):
    """Move each matrix by its momentum with all singular values set to about 1.

    It moves matrices alone, such as the weights of linear layers. Biases, the scales of norm layers and the kernels of
    convolutions need another optimizer beside it.

    Shape: m = momentum*m + (1 - momentum)*g; u = (1 - momentum)*g + momentum*m (without nesterov: m); x = u/|u|,
        then ns_steps times x = a*x + (b*s + c*s*s)*x, s = x*x^T, in bfloat16;
        w = w - lr*weight_decay*w - lr*adjust*x
    Reference: Jordan and others, Muon: an optimizer for hidden layers in neural networks, 2024.
    Example: muon: {lr: 0.02}
    """

    elementwise = False
    takes = "matrices alone"

    lr: PositiveFloat = 1e-3
    weight_decay: NonNegative = 0.1
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.95
    """The weight of the old mean of the gradients at each step."""
    nesterov: bool = True
    """Nesterov's momentum: look ahead along the momentum."""
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315)
    """a, b and c of each round of Newton and Schulz's iteration."""
    eps: PositiveFloat = 1e-7
    """The least norm by which the momentum is divided before the iteration."""
    ns_steps: Annotated[int, Field(ge=0, lt=100)] = 5
    """The number of rounds."""
    adjust_lr_fn: Literal["original", "match_rms_adamw"] = "original"
    """The factor on the rate of an (A, B) matrix: `original` is sqrt(max(1, A/B)); `match_rms_adamw` is
    0.2*sqrt(max(A, B)), with which rates for adamw can be kept."""

    def suits(self, shape: Shape) -> bool:
        return len(shape) == 2

    def state_per_weight(self) -> int:
        return 1

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {"momentum_buffer": zeros(weights)}

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import foreach_add_, foreach_lerp, foreach_lerp_

        moments = state["momentum_buffer"]
        foreach_lerp_(moments, grads, 1 - self.momentum)
        updates = foreach_lerp(grads, moments, self.momentum) if self.nesterov else moments
        self.decay(weights, lr)
        for (rows, columns), places in _by_shape(weights).items():
            moves = self._orthogonal([updates[place] for place in places]).to(weights[places[0]].dtype)
            rate = lr * self._adjustment(rows, columns)
            foreach_add_([weights[place] for place in places], list(moves.unbind()), alpha=-rate)

    def _orthogonal(self, matrices: list[torch.Tensor]) -> torch.Tensor:
        """Matrices of one shape with singular values of about 1, all at once, in bfloat16."""
        import torch

        a, b, c = self.ns_coefficients
        x = torch.stack(matrices).bfloat16()
        tall = x.shape[1] > x.shape[2]
        x = x.mT if tall else x
        x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=self.eps)
        for _ in range(self.ns_steps):
            squares = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(squares, squares, squares, beta=b, alpha=c), x, beta=a)
        return x.mT if tall else x

    def _adjustment(self, rows: int, columns: int) -> float:
        if self.adjust_lr_fn == "original":
            return math.sqrt(max(1, rows / columns))
        return 0.2 * math.sqrt(max(rows, columns))


def _by_shape(weights: Sequence[torch.Tensor]) -> dict[Shape, list[int]]:
    """The places of the weights of each shape."""
    places: dict[Shape, list[int]] = {}
    for place, weight in enumerate(weights):
        places.setdefault(tuple(weight.shape), []).append(place)
    return places
