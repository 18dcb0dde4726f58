from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Relu6(TorchLayer):
    """Limit numbers to the range from 0 to 6.

    Shape: (...) -> (...), y = min(max(0, x), 6)
    Reference: Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.
    Example: relu6
    """

    torch_class = "ReLU6"

    def output_range(self, taken: Range) -> Range:
        return min(max(0.0, taken[0]), 6.0), min(max(0.0, taken[1]), 6.0)
