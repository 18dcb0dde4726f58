from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class LogSigmoid(TorchLayer):
    """The logarithm of the sigmoid, exact where the sigmoid would round to 0.

    Shape: (...) -> (...), y = log(1 / (1 + exp(-x)))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 3.10.
    Example: log_sigmoid
    """

    torch_class = "LogSigmoid"
    output_form = "log_probabilities"

    def output_range(self, taken: Range) -> Range:
        low, high = (end if end < -700 else -math.log1p(math.exp(-end)) for end in taken)
        return low, high
