from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers._pool2d import Pool2d
from dlrun.shapes import Shape
from dlrun.spec.fields import Pair

if TYPE_CHECKING:
    import torch


class MaxPool2d(Pool2d):
    """Keep the largest number of each window.

    Shape: (C, H, W) -> (C, H', W'), H' = (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 9.3.
    Example: max_pool2d: 2
    """

    dilation: Pair = (1, 1)
    """Distance between the pixels of a window."""

    def spans(self) -> tuple[int, int]:
        height, width = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))
        return (height, width)

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.MaxPool2d(self.kernel_size, self.steps(), self.padding, self.dilation, ceil_mode=self.ceil_mode)
