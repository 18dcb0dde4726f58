from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Range
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Arctan(Layer):
    """Map numbers to the range from -pi/2 to pi/2, more slowly than tanh.

    Shape: (...) -> (...), y = arctan(x)
    Reference: Kamruzzaman and Aziz, A note on activation function in multilayer feedforward learning, 2002.
    Example: arctan
    """

    synonyms = ("atan",)
    padding_is = "per_step"

    def output_range(self, taken: Range) -> Range:
        return math.atan(taken[0]), math.atan(taken[1])

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.activations import Arctan as Module

        return Module()
