from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.pooling._global_pool import GlobalPool
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class GlobalMaxPool(GlobalPool):
    """Keep the largest number of each channel, whatever axes follow the channels.

    Shape: (C, ...) -> (C,)
    Reference: Kim, Convolutional neural networks for sentence classification, 2014 (max-over-time pooling).
    Example: global_max_pool
    """

    synonyms = (
        "global_max_pooling",
        "global_max_pooling1d",
        "global_max_pooling2d",
        "global_max_pooling3d",
        "global_max_pool1d",
        "global_max_pool2d",
        "max_over_time",
    )

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.pooling import GlobalMaxPool as Module

        return Module()
