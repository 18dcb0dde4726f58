from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer
from dlrun.language.fields import PositiveFloat


class Softplus(TorchLayer):
    """A relu without the corner: always positive, and smooth.

    Shape: (...) -> (...), y = log(1 + exp(beta*x)) / beta; y = x where beta*x > threshold
    Reference: Dugas, Bengio, Bélisle, Nadeau and Garcia, Incorporating second-order functional knowledge for better
        option pricing, 2000.
    Example: softplus
    """

    torch_class = "Softplus"

    beta: PositiveFloat = 1.0
    """How sharply it bends."""
    threshold: float = 20.0
    """Above this beta*x it is the straight line, which by then is as good as equal."""
