from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class LeakyRelu(Layer):
    """Let positive numbers through and make the others small.

    Shape: (...) -> (...), y = x if x > 0 else negative_slope*x
    Reference: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.
    Example: leaky_relu
    """

    negative_slope: float = 0.01
    """What negative numbers are multiplied by."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.LeakyReLU(self.negative_slope)
