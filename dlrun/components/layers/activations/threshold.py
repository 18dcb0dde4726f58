from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Threshold(TorchLayer):
    """Keep numbers above a threshold and replace the others.

    Shape: (...) -> (...), y = x if x > threshold else value
    Reference: Konda, Memisevic and Krueger, Zero-bias autoencoders and the benefits of co-adapting features, 2014.
    Example: threshold: {threshold: 1, value: 0}
    """

    synonyms = ("thresholded_relu",)
    torch_class = "Threshold"

    threshold: float
    """Numbers above it are kept."""
    value: float = 0.0
    """The value that replaces the others."""

    def output_range(self, taken: Range) -> Range:
        if taken[1] <= self.threshold:
            return self.value, self.value
        return min(self.value, max(taken[0], self.threshold)), max(self.value, taken[1])
