from __future__ import annotations

from typing import Literal

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Gelu(TorchLayer):
    """Multiply each number by the share of the standard normal distribution below it.

    Shape: (...) -> (...), y = x*P(x), P(x) = (1 + erf(x / sqrt(2))) / 2
    Reference: Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016.
    Example: gelu
    """

    torch_class = "GELU"

    approximate: Literal["none", "tanh"] = "none"
    """`tanh`: 0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3))), as in GPT-2."""

    def output_range(self, taken: Range) -> Range:
        return (-0.17005 if taken[0] < 0 else 0.0), max(0.0, taken[1])
