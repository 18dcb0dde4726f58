from __future__ import annotations

from dlrun.components.layers.pooling._pool import MaxPool
from dlrun.language.fields import PoolPadding2d, Sizes2d


class MaxPool2d(MaxPool):
    """Keep the largest number of each window.

    Shape: (C, H, W) -> (C, H', W'), H' = (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1;
        ceil(H / stride) with padding `same`
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 9.3.
    Example: max_pool2d: 2
    """

    synonyms = ("max_pool", "maxpool", "max_pooling", "max_pooling2d")
    rank = 2

    kernel_size: Sizes2d
    """Height and width of a window; one number for both."""
    stride: Sizes2d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: PoolPadding2d = (0, 0)
    """Pixels added on each side, which are never the largest; at most half the window. `same`: as many as make the
    output ceil(input / stride), an odd one at the end, as in TensorFlow. `valid`: none."""
    dilation: Sizes2d = (1, 1)
    """Distance between the pixels of a window."""
