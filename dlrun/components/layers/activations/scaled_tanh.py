from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import torch


class ScaledTanh(Layer):
    """A tanh scaled so that 1 becomes about 1 and -1 about -1, where its second derivative is largest.

    Shape: (...) -> (...), y = amplitude*tanh(slope*x)
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998.
    Example: scaled_tanh
    """

    padding_is = "per_step"

    amplitude: PositiveFloat = 1.7159
    """The largest output."""
    slope: PositiveFloat = 2 / 3
    """The factor on the input."""

    def activations(self, shape: Shape) -> int:
        return 2 * numel(shape)  # the tanh is kept besides the output

    def output_range(self, taken: Range) -> Range:
        low, high = (self.amplitude * math.tanh(self.slope * end) for end in taken)
        return low, high

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.activations import ScaledTanh as Module

        return Module(self.amplitude, self.slope)
