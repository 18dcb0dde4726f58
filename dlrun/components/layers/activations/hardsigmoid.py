from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Hardsigmoid(TorchLayer):
    """A sigmoid made of straight lines: 0 below -3, 1 above 3.

    Shape: (...) -> (...), y = min(max(0, x/6 + 1/2), 1)
    Reference: Howard, Sandler, Chu and others, Searching for MobileNetV3, 2019.
    Example: hardsigmoid
    """

    synonyms = ("hard_sigmoid",)
    torch_class = "Hardsigmoid"
    output_form = "probabilities"

    def output_range(self, taken: Range) -> Range:
        low, high = (min(max(0.0, end / 6 + 0.5), 1.0) for end in taken)
        return low, high
