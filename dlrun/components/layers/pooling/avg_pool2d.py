from __future__ import annotations

from dlrun.components.layers.pooling._pool import AvgPool
from dlrun.language.fields import PoolPadding2d, Sizes2d


class AvgPool2d(AvgPool):
    """Replace each window by its mean.

    Shape: (C, H, W) -> (C, H', W'), H' = (H + 2*padding - kernel_size) // stride + 1;
        ceil(H / stride) with padding `same`
    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    Example: avg_pool2d: 2
    """

    synonyms = ("avg_pool", "average_pooling2d", "average_pool2d")
    rank = 2

    kernel_size: Sizes2d
    """Height and width of a window; one number for both."""
    stride: Sizes2d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: PoolPadding2d = (0, 0)
    """Pixels of value 0 added on each side; at most half the window. `same`: as many as make the output
    ceil(input / stride), an odd one at the end, as in TensorFlow. `valid`: none."""
