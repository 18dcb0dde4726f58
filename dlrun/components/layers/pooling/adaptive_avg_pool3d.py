from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes3d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveAvgPool3d(AdaptivePool):
    """Average parts of a volume of any size, so the output has a given size; 1 is global average pooling.

    Shape: (C, D, H, W) -> (C, *output_size); voxel i averages slices floor(i*D/D') to ceil((i + 1)*D/D')
    Reference: Lin, Chen and Yan, Network in network, 2013, section 3.2.
    Example: adaptive_avg_pool3d: 1
    """

    rank = 3

    output_size: Sizes3d
    """Depth, height and width of the output; one number for all."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool3d(self.output_size)
