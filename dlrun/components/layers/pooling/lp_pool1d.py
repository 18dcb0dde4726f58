from __future__ import annotations

from dlrun.components.layers.pooling._lp_pool import LpPool
from dlrun.language.fields import Sizes1d


class LpPool1d(LpPool):
    """Replace each window of a sequence by its Lp norm, (sum of |x|^p)^(1/p); p = 2 is L2-norm pooling.

    torch's LPPool1d uses x^p, which differs for negative numbers where p is odd or not whole.

    Shape: (C, L) -> (C, L'), L' = (L - kernel_size) // stride + 1
    Reference: Sermanet, Chintala and LeCun, Convolutional neural networks applied to house numbers digit
        classification, 2012.
    Example: lp_pool1d: 2
    """

    rank = 1

    kernel_size: Sizes1d
    """Length of a window."""
    stride: Sizes1d | None = None
    """How far the window moves at each step; if not given, kernel_size."""
