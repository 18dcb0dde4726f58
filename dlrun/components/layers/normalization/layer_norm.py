from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.normalization._last_axes import LastAxes
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class LayerNorm(LastAxes):
    """Give the last axes of each sample mean 0 and variance 1, then scale and shift every number.

    Shape: (..., F) -> (..., F), y = (x - mean) / sqrt(variance + eps) * weight + bias
    Reference: Ba, Kiros and Hinton, Layer normalization, 2016.
    Example: layer_norm
    """

    synonyms = ("layer_normalization",)

    of_one = "which minus its mean is always 0"

    eps: PositiveFloat = 1e-5
    """Added to the variance, so it is never 0."""
    bias: bool = True
    """Shift as well as scale."""

    def weights(self, shape: Shape) -> dict[str, Shape]:
        scale = super().weights(shape)
        return scale | ({"bias": scale["weight"]} if scale and self.bias else {})

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.LayerNorm(list(shape[-self.dims :]), self.eps, self.elementwise_affine, self.bias)
