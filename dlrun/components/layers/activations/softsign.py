from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Softsign(TorchLayer):
    """Map numbers to the range from -1 to 1, more slowly than tanh.

    Shape: (...) -> (...), y = x / (1 + |x|)
    Reference: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    Example: softsign
    """

    torch_class = "Softsign"

    def output_range(self, taken: Range) -> Range:
        low, high = (math.copysign(1.0, end) if math.isinf(end) else end / (1 + abs(end)) for end in taken)
        return low, high
