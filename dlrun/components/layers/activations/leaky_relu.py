from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.components.layers.activations._bent import bent


class LeakyRelu(TorchLayer):
    """Keep positive numbers and multiply negative ones by a small slope.

    Shape: (...) -> (...), y = x if x > 0 else negative_slope*x
    Reference: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, 2013.
    Example: leaky_relu
    """

    torch_class = "LeakyReLU"

    negative_slope: float = 0.01
    """The factor for negative numbers."""

    def output_range(self, taken: Range) -> Range:
        return bent(taken, self.negative_slope)
