from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Elu(TorchLayer):
    """Keep positive numbers and bend negative ones smoothly towards -alpha.

    Shape: (...) -> (...), y = x if x > 0 else alpha*(exp(x) - 1)
    Reference: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential
        linear units, 2015.
    Example: elu
    """

    torch_class = "ELU"

    alpha: float = 1.0
    """The lower limit of the curve is -alpha."""

    def output_range(self, taken: Range) -> Range:
        low, high = (end if end > 0 else self.alpha * math.expm1(end) for end in taken)
        if self.alpha < 0:  # negative numbers become positive
            return (0.0 if taken[0] < 0 else low), max(low, high)
        return low, high
