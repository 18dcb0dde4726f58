from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Tanh(TorchLayer):
    """Map numbers to the range from -1 to 1.

    Shape: (...) -> (...), y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998.
    Example: tanh
    """

    torch_class = "Tanh"

    def output_range(self, taken: Range) -> Range:
        return math.tanh(taken[0]), math.tanh(taken[1])
