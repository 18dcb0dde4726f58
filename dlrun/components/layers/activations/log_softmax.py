from __future__ import annotations

import math

from dlrun.components.layers import Range
from dlrun.components.layers.activations._along_axis import AlongAxis


class LogSoftmax(AlongAxis):
    """The logarithm of the softmax, exact where softmax would round to 0; not for use before `cross_entropy`.

    Shape: (...) -> (...), y = x - log(sum(exp(x))) along dim
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.
    Example: log_softmax
    """

    torch_class = "LogSoftmax"
    output_form = "log_distribution"

    def output_range(self, taken: Range) -> Range:
        return -math.inf, 0.0
