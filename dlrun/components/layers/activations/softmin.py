from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers.activations._along_axis import AlongAxis


class Softmin(AlongAxis):
    """Turn numbers into shares that sum to 1; the smallest number gets the largest share.

    Shape: (...) -> (...), y = exp(-x) / sum(exp(-x)) along dim
    Reference: torch.nn.Softmin.
    Example: softmin
    """

    torch_class = "Softmin"
    output_form = "distribution"

    def output_range(self, taken: Range) -> Range:
        return 0.0, 1.0
