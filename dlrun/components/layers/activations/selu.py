from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Selu(TorchLayer):
    """An elu with two factors that bring the numbers towards mean 0 and variance 1, layer after layer.

    Shape: (...) -> (...), y = s*x if x > 0 else s*a*(exp(x) - 1), s = 1.05070..., a = 1.67326...
    Reference: Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, 2017.
    Example: selu
    """

    torch_class = "SELU"

    def output_range(self, taken: Range) -> Range:
        low, high = (1.0507009873554805 * (end if end > 0 else 1.6732632423543772 * math.expm1(end)) for end in taken)
        return low, high
