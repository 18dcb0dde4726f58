from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._adaptive_pool import AdaptivePool
from dlrun.language.fields import Sizes1d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AdaptiveAvgPool1d(AdaptivePool):
    """Average a sequence down to a given size, whatever its own; 1 averages over all of it (global average pooling).

    Shape: (C, L) -> (C, output_size); step i averages steps floor(i*L/L') to ceil((i + 1)*L/L')
    Reference: Lin, Chen and Yan, Network in network, 2013, section 3.2.
    Example: adaptive_avg_pool1d: 1
    """

    rank = 1

    output_size: Sizes1d
    """Length of the result."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool1d(self.output_size)
