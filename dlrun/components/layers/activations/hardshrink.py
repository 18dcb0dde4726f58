from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import NonNegative


class Hardshrink(TorchLayer):
    """Make 0 of numbers near 0 and let the others through.

    Shape: (...) -> (...), y = x if |x| > lambd else 0
    Reference: Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, 1994.
    Example: hardshrink
    """

    torch_class = "Hardshrink"

    lambd: NonNegative = 0.5
    """How near (torch's spelling; `lambda` is a word of Python's)."""
