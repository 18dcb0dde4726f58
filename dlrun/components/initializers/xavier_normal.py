from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer
from dlrun.spec.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class XavierNormal(Initializer):
    """Normal, with a spread that keeps the variance of activations and gradients alike from layer to layer.

    Shape: w ~ N(0, gain**2 * 2 / (fan_in + fan_out))
    Reference: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    Example: xavier_normal
    """

    least_rank = 2

    gain: PositiveFloat = 1.0
    """A factor on the spread, for the activation that follows (tanh: 5/3, relu: sqrt(2))."""

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.xavier_normal_(weight, self.gain)
