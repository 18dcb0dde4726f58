from __future__ import annotations

from dlrun.components.layers.activations._along_axis import AlongAxis


class LogSoftmax(AlongAxis):
    """The logarithm of the softmax, exact where softmax would round to 0; not for use before `cross_entropy`.

    Shape: (...) -> (...), y = x - log(sum(exp(x))) along dim
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.
    Example: log_softmax
    """

    torch_class = "LogSoftmax"
    output_form = "log_distribution"
