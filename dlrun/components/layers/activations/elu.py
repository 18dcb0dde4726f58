from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer


class Elu(TorchLayer):
    """Keep positive numbers and bend negative ones smoothly towards -alpha.

    Shape: (...) -> (...), y = x if x > 0 else alpha*(exp(x) - 1)
    Reference: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential
        linear units, 2015.
    Example: elu
    """

    torch_class = "ELU"

    alpha: float = 1.0
    """The lower limit of the curve is -alpha."""
