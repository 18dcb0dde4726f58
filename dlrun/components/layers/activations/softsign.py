from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer


class Softsign(TorchLayer):
    """Map numbers to the range from -1 to 1, more slowly than tanh.

    Shape: (...) -> (...), y = x / (1 + |x|)
    Reference: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    Example: softsign
    """

    torch_class = "Softsign"
