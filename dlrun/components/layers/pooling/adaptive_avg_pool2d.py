from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes2d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveAvgPool2d(AdaptivePool):
    """Average parts of an image of any size, so the output has a given size; 1 is global average pooling.

    Shape: (C, H, W) -> (C, *output_size); pixel i averages rows floor(i*H/H') to ceil((i + 1)*H/H')
    Reference: Lin, Chen and Yan, Network in network, 2013, section 3.2.
    Example: adaptive_avg_pool2d: 1
    """

    synonyms = ("adaptive_avg_pool",)
    rank = 2

    output_size: Sizes2d
    """Height and width of the output; one number for both."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(self.output_size)
