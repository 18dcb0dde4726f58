from __future__ import annotations

from dlrun.components.layers.pooling._pool import AvgPool
from dlrun.language.fields import PoolPadding3d, Sizes3d


class AvgPool3d(AvgPool):
    """Replace each window of a volume by its mean.

    Shape: (C, D, H, W) -> (C, D', H', W'), D' = (D + 2*padding - kernel_size) // stride + 1;
        ceil(D / stride) with padding `same`
    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
    Example: avg_pool3d: 2
    """

    synonyms = ("average_pooling3d",)
    rank = 3

    kernel_size: Sizes3d
    """Depth, height and width of a window; one number for all."""
    stride: Sizes3d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: PoolPadding3d = (0, 0, 0)
    """Voxels of value 0 added on each side; at most half the window. `same`: as many as make the output
    ceil(input / stride), an odd one at the end, as in TensorFlow. `valid`: none."""
