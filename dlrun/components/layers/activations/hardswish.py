from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Hardswish(TorchLayer):
    """Multiply each number by its own hard sigmoid.

    Shape: (...) -> (...), y = x*min(max(0, x/6 + 1/2), 1)
    Reference: Howard, Sandler, Chu and others, Searching for MobileNetV3, 2019.
    Example: hardswish
    """

    torch_class = "Hardswish"

    def output_range(self, taken: Range) -> Range:
        return (-0.375 if taken[0] < 0 else 0.0), max(0.0, taken[1])
