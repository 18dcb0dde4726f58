from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dlrun.components.optimizers import Beta, Optimizer
from dlrun.spec.fields import NonNegative, PositiveFloat

if TYPE_CHECKING:
    import torch


class Rmsprop(Optimizer):
    """Divide each weight's step by a running root mean square of its gradient.

    Shape: v = alpha*v + (1 - alpha)*g**2; w = w - lr*g / (sqrt(v) + eps)
    Reference: Tieleman and Hinton, lecture 6.5 of Neural networks for machine learning, 2012.
    Example: rmsprop: {lr: 1e-3}
    """

    lr: PositiveFloat = 1e-2
    """The learning rate."""
    alpha: Beta = 0.99
    """How much of the old mean square is kept at each step."""
    eps: PositiveFloat = 1e-8
    """Added to the root, so that it is never 0."""
    weight_decay: NonNegative = 0.0
    """Adds weight_decay*w to every gradient, biases' too. Not the regularizer `l2: k`, which adds 2*k*w and
    spares them."""
    momentum: NonNegative = 0.0
    """The share of the last step that goes into the next."""
    centered: bool = False
    """Divide by the standard deviation instead: subtract the squared mean gradient."""

    def state_per_weight(self) -> int:
        return 1 + bool(self.momentum) + self.centered

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        from torch import optim

        return optim.RMSprop(
            parameters,
            self.lr,
            self.alpha,
            self.eps,
            self.weight_decay,
            self.momentum,
            self.centered,
            foreach=True,
        )
