from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes2d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveMaxPool2d(AdaptivePool):
    """Split an image of any size into a given number of parts and keep the largest number of each.

    Shape: (C, H, W) -> (C, *output_size); pixel i covers rows floor(i*H/H') to ceil((i + 1)*H/H')
    Reference: He, Zhang, Ren and Sun, Spatial pyramid pooling in deep convolutional networks for visual recognition,
        2014.
    Example: adaptive_max_pool2d: 2
    """

    synonyms = ("adaptive_max_pool",)
    rank = 2

    output_size: Sizes2d
    """Height and width of the output; one number for both."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool2d(self.output_size)
