from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers.activations._along_axis import AlongAxis


class Softmax(AlongAxis):
    """Turn numbers into shares that sum to 1; not for use before `cross_entropy`, which applies it itself.

    Shape: (...) -> (...), y = exp(x) / sum(exp(x)) along dim
    Reference: Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.
    Example: softmax
    """

    torch_class = "Softmax"
    output_form = "distribution"

    def output_range(self, taken: Range) -> Range:
        return 0.0, 1.0
