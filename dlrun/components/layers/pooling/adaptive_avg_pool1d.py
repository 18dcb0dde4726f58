from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes1d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveAvgPool1d(AdaptivePool):
    """Average parts of a sequence of any size, so the output has a given size; 1 is global average pooling.

    Shape: (C, L) -> (C, output_size); step i averages steps floor(i*L/L') to ceil((i + 1)*L/L')
    Reference: Lin, Chen and Yan, Network in network, 2013, section 3.2.
    Example: adaptive_avg_pool1d: 1
    """

    rank = 1

    output_size: Sizes1d
    """Length of the output."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool1d(self.output_size)
