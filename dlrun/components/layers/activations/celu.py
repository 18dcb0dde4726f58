from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import PositiveFloat


class Celu(TorchLayer):
    """An elu whose slope has no jump at 0, for every alpha.

    Shape: (...) -> (...), y = max(0, x) + min(0, alpha*(exp(x/alpha) - 1))
    Reference: Barron, Continuously differentiable exponential linear units, 2017.
    Example: celu
    """

    torch_class = "CELU"

    alpha: PositiveFloat = 1.0
    """The lower limit of the curve is -alpha."""

    def output_range(self, taken: Range) -> Range:
        low, high = (end if end > 0 else self.alpha * math.expm1(end / self.alpha) for end in taken)
        return low, high
