from __future__ import annotations

from dlrun.components.layers.pooling._pool import MaxPool
from dlrun.language.fields import PoolPadding1d, Sizes1d


class MaxPool1d(MaxPool):
    """Keep the largest number of each window of a sequence.

    Shape: (C, L) -> (C, L'), L' = (L + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1;
        ceil(L / stride) with padding `same`
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 9.3.
    Example: max_pool1d: 2
    """

    synonyms = ("max_pooling1d",)
    rank = 1

    kernel_size: Sizes1d
    """Length of a window."""
    stride: Sizes1d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: PoolPadding1d = 0
    """Steps added on each side, which are never the largest; at most half the window. `same`: as many as make the
    output ceil(input / stride), an odd one at the end, as in TensorFlow. `valid`: none."""
    dilation: Sizes1d = 1
    """Distance between the steps of a window."""
