from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Padding
from dlrun.components.layers._norm import Norm
from dlrun.shapes import Shape, ShapeError, show
from dlrun.spec.fields import Positive, PositiveFloat

if TYPE_CHECKING:
    import torch


class LayerNorm(Norm):
    """Give each sample's last axes mean 0 and variance 1, then scale and shift every number.

    Shape: (..., F) -> (..., F), y = (x - mean) / sqrt(variance + eps) * weight + bias
    Reference: Ba, Kiros and Hinton, Layer normalization, 2016.
    Example: layer_norm
    """

    dims: Positive = 1
    """How many of the last axes are normalised together; their sizes are inferred."""
    eps: PositiveFloat = 1e-5
    """Added to the variance, so that it is never 0."""
    elementwise_affine: bool = True
    """Scale and shift every number afterwards, with trained weights."""
    bias: bool = True
    """Shift as well as scale."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < self.dims:
            raise ShapeError(f"normalises the last {self.dims} axes; received {show(shape)}")
        return shape

    def treats_padding(self, shape: Shape) -> Padding:
        return "apart" if self.dims < len(shape) else "refused"

    def weights(self, shape: Shape) -> dict[str, Shape]:
        if not self.elementwise_affine:
            return {}
        sizes = shape[-self.dims :]
        return {"weight": sizes} | ({"bias": sizes} if self.bias else {})

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.LayerNorm(list(shape[-self.dims :]), self.eps, self.elementwise_affine, self.bias)
