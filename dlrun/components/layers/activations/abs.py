from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Abs(Layer):
    """Take the absolute value of each number.

    Shape: (...) -> (...), y = |x|
    Reference: Jarrett, Kavukcuoglu, Ranzato and LeCun, What is the best multi-stage architecture for object
        recognition?, 2009.
    Example: abs
    """

    synonyms = ("absolute", "absolute_value")
    padding_is = "per_step"

    def output_range(self, taken: Range) -> Range:
        low, high = taken
        return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.activations import Abs as Module

        return Module()
