from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Tanhshrink(TorchLayer):
    """The number minus its tanh: nearly 0 near 0, nearly x - 1 or x + 1 far from 0.

    Shape: (...) -> (...), y = x - tanh(x)
    Reference: torch.nn.Tanhshrink.
    Example: tanhshrink
    """

    torch_class = "Tanhshrink"

    def output_range(self, taken: Range) -> Range:
        return taken[0] - math.tanh(taken[0]), taken[1] - math.tanh(taken[1])
