from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Relu(Layer):
    """Let positive numbers through and make the others 0.

    Shape: (...) -> (...), y = max(0, x)
    Reference: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, 2010.
    Example: relu
    """

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.ReLU()
