from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._global_pool import GlobalPool
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class GlobalAvgPool(GlobalPool):
    """Average each channel over all of its numbers, whatever the axes behind the channels.

    Shape: (C, ...) -> (C,)
    Reference: Lin, Chen and Yan, Network in network, 2013, section 3.2.
    Example: global_avg_pool
    """

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.pooling import GlobalAvgPool as Module

        return Module()
