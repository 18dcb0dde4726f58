from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Relu(TorchLayer):
    """Keep positive numbers and set negative ones to 0.

    Shape: (...) -> (...), y = max(0, x)
    Reference: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, 2010.
    Example: relu
    """

    torch_class = "ReLU"

    def output_range(self, taken: Range) -> Range:
        return max(0.0, taken[0]), max(0.0, taken[1])
