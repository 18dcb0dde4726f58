from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._global_pool import GlobalPool
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class GlobalAvgPool(GlobalPool):
    """Average all the numbers of each channel, whatever axes follow the channels.

    Shape: (C, ...) -> (C,)
    Reference: Lin, Chen and Yan, Network in network, 2013, section 3.2.
    Example: global_avg_pool
    """

    synonyms = (
        "gap",
        "global_average_pool",
        "global_average_pooling",
        "global_average_pooling1d",
        "global_average_pooling2d",
        "global_average_pooling3d",
        "global_avg_pool1d",
        "global_avg_pool2d",
        "global_avg_pool3d",
    )

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.pooling import GlobalAvgPool as Module

        return Module()
