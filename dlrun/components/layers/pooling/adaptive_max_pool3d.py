from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes3d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveMaxPool3d(AdaptivePool):
    """Split a volume of any size into a given number of parts and keep the largest number of each.

    Shape: (C, D, H, W) -> (C, *output_size); voxel i covers slices floor(i*D/D') to ceil((i + 1)*D/D')
    Reference: He, Zhang, Ren and Sun, Spatial pyramid pooling in deep convolutional networks for visual recognition,
        2014.
    Example: adaptive_max_pool3d: 2
    """

    rank = 3

    output_size: Sizes3d
    """Depth, height and width of the output; one number for all."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool3d(self.output_size)
