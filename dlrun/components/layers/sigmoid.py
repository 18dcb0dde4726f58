from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Sigmoid(Layer):
    """Squeeze numbers into 0 to 1.

    Shape: (...) -> (...), y = 1 / (1 + exp(-x))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 3.10.
    Example: sigmoid
    """

    ends_in = "probabilities"

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.Sigmoid()
