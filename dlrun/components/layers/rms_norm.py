from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Padding
from dlrun.components.layers._norm import Norm
from dlrun.shapes import Shape, ShapeError, show
from dlrun.spec.fields import Positive, PositiveFloat

if TYPE_CHECKING:
    import torch


class RmsNorm(Norm):
    """Divide each sample's last axes by their root mean square, then scale every number; no mean is taken away.

    Shape: (..., F) -> (..., F), y = x / sqrt(mean(x**2) + eps) * weight
    Reference: Zhang and Sennrich, Root mean square layer normalization, 2019.
    Example: rms_norm
    """

    dims: Positive = 1
    """How many of the last axes are normalised together; their sizes are inferred."""
    eps: PositiveFloat | None = None
    """Added to the mean square, so that it is never 0; as in torch, the least step of the number type unless given."""
    elementwise_affine: bool = True
    """Scale every number afterwards, with trained weights."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < self.dims:
            raise ShapeError(f"normalises the last {self.dims} axes; received {show(shape)}")
        return shape

    def treats_padding(self, shape: Shape) -> Padding:
        return "apart" if self.dims < len(shape) else "refused"

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[-self.dims :]} if self.elementwise_affine else {}

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.RMSNorm(list(shape[-self.dims :]), self.eps, self.elementwise_affine)
