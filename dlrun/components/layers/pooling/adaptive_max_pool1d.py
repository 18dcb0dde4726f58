from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes1d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveMaxPool1d(AdaptivePool):
    """Split a sequence of any size into a given number of parts and keep the largest number of each.

    Shape: (C, L) -> (C, output_size); step i covers steps floor(i*L/L') to ceil((i + 1)*L/L')
    Reference: He, Zhang, Ren and Sun, Spatial pyramid pooling in deep convolutional networks for visual recognition,
        2014.
    Example: adaptive_max_pool1d: 2
    """

    rank = 1

    output_size: Sizes1d
    """Length of the output."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool1d(self.output_size)
