from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Mish(TorchLayer):
    """Multiply each number by the tanh of its softplus.

    Shape: (...) -> (...), y = x*tanh(log(1 + exp(x)))
    Reference: Misra, Mish: a self regularized non-monotonic activation function, 2019.
    Example: mish
    """

    torch_class = "Mish"

    def output_range(self, taken: Range) -> Range:
        return (-0.30885 if taken[0] < 0 else 0.0), max(0.0, taken[1])
