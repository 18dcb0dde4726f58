from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dlrun.components.layers import Layer, Range
from dlrun.language.fields import NonNegative, Positive
from dlrun.shapes import Shape, ShapeError, Window, numel, show

if TYPE_CHECKING:
    import torch


class LocalResponseNorm(Layer):
    """Divide each number by a measure of how large the neighbouring channels are at the same position.

    alpha is divided by size, as in torch but not in AlexNet's paper: the paper's alpha 1e-4 with size 5 is 5e-4 here.

    Shape: (C, ...) -> (C, ...), y[c] = x[c] / (k + alpha/size * sum of x**2 over size channels around c)**beta
    Reference: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks,
        2012, section 3.3.
    Example: local_response_norm: {size: 5, alpha: 5e-4, k: 2}
    """

    channel_axis = "first"
    synonyms = ("lrn", "cross_map_lrn2d")

    size: Positive
    """Number of neighbouring channels, including the number's own."""
    alpha: NonNegative = 1e-4
    """The factor on the neighbours."""
    beta: NonNegative = 0.75
    """The exponent."""
    k: Annotated[float, Field(ge=1e-3)] = 1.0
    """Added to the sum of the neighbours, so the divisor is never 0."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"needs an input of shape (channels, ...) with 2 axes or more; received {show(shape)}")
        return shape

    def activations(self, shape: Shape) -> int:
        # The squares, padded with channels of zeros, their sums and the divisor are kept besides the output.
        return (4 * shape[0] + self.size - 1) * numel(shape[1:])

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None, *(Window() for _ in shape[1:]))

    def output_range(self, taken: Range) -> Range:
        least = self.k**self.beta
        return (min(0.0, taken[0] / least), max(0.0, taken[1] / least))

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.k)
