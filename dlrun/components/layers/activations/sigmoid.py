from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Sigmoid(Layer):
    """Map numbers to the range from 0 to 1.

    Shape: (...) -> (...), y = 1 / (1 + exp(-slope*x))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 3.10.
    Example: sigmoid
    """

    synonyms = ("logistic",)
    padding_is = "per_step"

    output_form = "probabilities"

    slope: PositiveFloat = 1.0
    """How steep it is: the slope at 0 is slope/4."""

    @property
    def logit_slope(self) -> float:  # type: ignore[override]
        return self.slope

    def output_range(self, taken: Range) -> Range:
        low, high = (0.5 + 0.5 * math.tanh(0.5 * self.slope * end) for end in taken)
        return low, high

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        from dlrun.modules.activations import SlopedSigmoid

        return nn.Sigmoid() if self.slope == 1 else SlopedSigmoid(self.slope)
