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
        low, high = (
            end if self.beta * end > self.threshold else math.log1p(math.exp(self.beta * end)) / self.beta
            for end in taken
        )
        if self.threshold < 0:  # the part that is x begins below 0
            low = min(low, max(taken[0], self.threshold / self.beta))
        return low, max(low, high)
