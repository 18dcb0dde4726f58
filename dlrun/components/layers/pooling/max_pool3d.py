from __future__ import annotations

from dlrun.components.layers.pooling._pool import MaxPool
from dlrun.language.fields import PoolPadding3d, Sizes3d


class MaxPool3d(MaxPool):
    """Keep the largest number of each window of a volume.

    Shape: (C, D, H, W) -> (C, D', H', W'), D' = (D + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1;
        ceil(D / stride) with padding `same`
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 9.3.
    Example: max_pool3d: 2
    """

    synonyms = ("max_pooling3d",)
    rank = 3

    kernel_size: Sizes3d
    """Depth, height and width of a window; one number for all."""
    stride: Sizes3d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: PoolPadding3d = (0, 0, 0)
    """Voxels added on each side, which are never the largest; at most half the window. `same`: as many as make the
    output ceil(input / stride), an odd one at the end, as in TensorFlow. `valid`: none."""
    dilation: Sizes3d = (1, 1, 1)
    """Distance between the voxels of a window."""
