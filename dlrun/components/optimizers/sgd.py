from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.optimizers import OptimizerState, Tensors, zeros
from dlrun.components.optimizers._decay import GradientDecay
from dlrun.language.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class Sgd(GradientDecay):
    """Gradient descent: steps against the gradient, optionally with momentum.

    Shape: v = momentum*v + (1 - dampening)*g; w = w - lr*v (nesterov: w - lr*(g + momentum*v))
    Reference: Robbins and Monro, 1951; Polyak, 1964; Nesterov, 1983; Sutskever and others, 2013.
    Example: sgd: {lr: 0.1, momentum: 0.9, nesterov: true}
    """

    synonyms = ("gd", "gradient_descent", "momentum")
    fused = True

    lr: PositiveFloat = 1e-3
    momentum: NonNegative = 0.0
    """The share of the last step that is added to the next."""
    dampening: NonNegative = 0.0
    """The share of the gradient that is not added to the momentum."""
    nesterov: bool = False
    """Nesterov's momentum: look ahead along the momentum; needs momentum above 0 and dampening 0."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0")
        return self

    def state_per_weight(self) -> int:
        return 1 if self.momentum else 0

    def begin(self, weights: Sequence[torch.Tensor]) -> OptimizerState:
        return {}  # the first step sets the momentum to its gradient, undampened

    def step(self, weights: Tensors, grads: Tensors, state: OptimizerState, lr: float, numbers: Tensors) -> None:
        from dlrun.modules.private_torch import fused_sgd

        first = bool(self.momentum) and not state
        if first:
            state["momentum_buffer"] = zeros(weights)
        fused_sgd(
            weights,
            grads,
            state.get("momentum_buffer", []),
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=lr,
            dampening=self.dampening,
            nesterov=self.nesterov,
            maximize=False,
            is_first_step=first,
        )
