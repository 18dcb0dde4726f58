from __future__ import annotations

from dlrun.components.layers.pooling._lp_pool import LpPool
from dlrun.language.fields import Sizes3d


class LpPool3d(LpPool):
    """Replace each window of a volume by its Lp norm, (sum of |x|^p)^(1/p); p = 2 is L2-norm pooling.

    torch's LPPool3d uses x^p, which differs for negative numbers where p is odd or not whole.

    Shape: (C, D, H, W) -> (C, D', H', W'), D' = (D - kernel_size) // stride + 1
    Reference: Sermanet, Chintala and LeCun, Convolutional neural networks applied to house numbers digit
        classification, 2012.
    Example: lp_pool3d: 2
    """

    rank = 3

    kernel_size: Sizes3d
    """Depth, height and width of a window; one number for all."""
    stride: Sizes3d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
