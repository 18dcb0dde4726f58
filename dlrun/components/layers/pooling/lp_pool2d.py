from __future__ import annotations

from dlrun.components.layers.pooling._lp_pool import LpPool
from dlrun.language.fields import Sizes2d


class LpPool2d(LpPool):
    """Replace each window of an image by its Lp norm, (sum of |x|^p)^(1/p); p = 2 is L2-norm pooling.

    torch's LPPool2d uses x^p, which differs for negative numbers where p is odd or not whole.

    Shape: (C, H, W) -> (C, H', W'), H' = (H - kernel_size) // stride + 1
    Reference: Sermanet, Chintala and LeCun, Convolutional neural networks applied to house numbers digit
        classification, 2012.
    Example: lp_pool2d: 2
    """

    synonyms = ("l2_pool", "l2_pool2d", "lp_pool", "lp_pooling2d")
    rank = 2

    kernel_size: Sizes2d
    """Height and width of a window; one number for both."""
    stride: Sizes2d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
