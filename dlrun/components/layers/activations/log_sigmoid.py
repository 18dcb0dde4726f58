from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer


class LogSigmoid(TorchLayer):
    """The logarithm of the sigmoid, exact where the sigmoid would round to 0.

    Shape: (...) -> (...), y = log(1 / (1 + exp(-x)))
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 3.10.
    Example: log_sigmoid
    """

    torch_class = "LogSigmoid"
    output_form = "log_probabilities"
