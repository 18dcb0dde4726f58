from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers._pool2d import Pool2d
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class AvgPool2d(Pool2d):
    """Replace each window by its mean.

    Shape: (C, H, W) -> (C, H', W'), H' = (H + 2*padding - kernel_size) // stride + 1
    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    Example: avg_pool2d: 2
    """

    count_include_pad: bool = True
    """Count the padding's zeros in the mean."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.AvgPool2d(self.kernel_size, self.steps(), self.padding, self.ceil_mode, self.count_include_pad)
