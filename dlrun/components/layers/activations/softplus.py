from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import PositiveFloat


class Softplus(TorchLayer):
    """A smooth relu; the output is always positive.

    Shape: (...) -> (...), y = log(1 + exp(beta*x)) / beta; y = x where beta*x > threshold
    Reference: Dugas, Bengio, Bélisle, Nadeau and Garcia, Incorporating second-order functional knowledge for better
        option pricing, 2000.
    Example: softplus
    """

    torch_class = "Softplus"

    beta: PositiveFloat = 1.0
    """How sharp the bend at 0 is."""
    threshold: float = 20.0
    """Where beta*x is larger, the output is x, which is almost equal."""

    def output_range(self, taken: Range) -> Range:
        edge = self.threshold / self.beta
        ends = [end if end > edge else self._smooth(end) for end in taken]
        if taken[0] <= edge < taken[1]:  # it jumps there
            ends += [edge, self._smooth(edge)]
        return min(ends), max(ends)

    def _smooth(self, x: float) -> float:
        return max(x, 0.0) + math.log1p(math.exp(-self.beta * abs(x))) / self.beta
