from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import NonNegative


class Hardshrink(TorchLayer):
    """Set numbers near 0 to 0 and keep the others.

    Shape: (...) -> (...), y = x if |x| > lambd else 0
    Reference: Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, 1994.
    Example: hardshrink
    """

    torch_class = "Hardshrink"

    lambd: NonNegative = 0.5
    """How near (torch's spelling, since `lambda` is a keyword of Python)."""

    def output_range(self, taken: Range) -> Range:
        return min(0.0, taken[0]), max(0.0, taken[1])
