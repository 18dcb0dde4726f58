from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Tanh(Layer):
    """Squeeze numbers into -1 to 1.

    Shape: (...) -> (...), y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998.
    Example: tanh
    """

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.Tanh()
