from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Elu(Layer):
    """Let positive numbers through and bend the others smoothly towards -alpha.

    Shape: (...) -> (...), y = x if x > 0 else alpha*(exp(x) - 1)
    Reference: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential
        linear units, 2015.
    Example: elu
    """

    alpha: float = 1.0
    """How far down the curve goes."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.ELU(self.alpha)
