from __future__ import annotations

from dlrun.components.layers.pooling._pool import AvgPool
from dlrun.language.fields import PoolPadding1d, Sizes1d


class AvgPool1d(AvgPool):
    """Replace each window of a sequence by its mean.

    Shape: (C, L) -> (C, L'), L' = (L + 2*padding - kernel_size) // stride + 1; ceil(L / stride) with padding `same`
    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    Example: avg_pool1d: 2
    """

    synonyms = ("average_pooling1d",)
    rank = 1

    kernel_size: Sizes1d
    """Length of a window."""
    stride: Sizes1d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: PoolPadding1d = 0
    """Steps of value 0 added on each side; at most half the window. `same`: as many as make the output
    ceil(input / stride), an odd one at the end, as in TensorFlow. `valid`: none."""
