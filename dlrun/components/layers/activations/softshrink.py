from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import NonNegative


class Softshrink(TorchLayer):
    """Move every number towards 0 by lambd, and set nearer numbers to 0.

    Shape: (...) -> (...), y = x - lambd if x > lambd, x + lambd if x < -lambd, else 0
    Reference: Donoho, De-noising by soft-thresholding, 1995.
    Example: softshrink
    """

    torch_class = "Softshrink"

    lambd: NonNegative = 0.5
    """By how much (torch's spelling, since `lambda` is a keyword of Python)."""

    def output_range(self, taken: Range) -> Range:
        return min(0.0, taken[0]), max(0.0, taken[1])
