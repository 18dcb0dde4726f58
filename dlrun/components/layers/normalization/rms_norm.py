from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.normalization._last_axes import LastAxes
from dlrun.language.fields import PositiveFloat
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class RmsNorm(LastAxes):
    """Divide the last axes of each sample by their root mean square, then scale every number; no mean is subtracted.

    Shape: (..., F) -> (..., F), y = x / sqrt(mean(x**2) + eps) * weight
    Reference: Zhang and Sennrich, Root mean square layer normalization, 2019.
    Example: rms_norm
    """

    synonyms = ("rms_normalization",)

    centred = False
    of_one = "which divided by its own size is always 1 or -1"

    eps: PositiveFloat | None = None
    """Added to the mean square, so it is never 0; if not given, the float type's epsilon, as in torch."""

    def output_range(self, taken: Range) -> Range:
        if self.elementwise_affine:
            return EVERY
        return (0.0 if taken[0] >= 0 else -math.inf), (0.0 if taken[1] <= 0 else math.inf)

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.RMSNorm(list(shape[-self.dims :]), self.eps, self.elementwise_affine)
