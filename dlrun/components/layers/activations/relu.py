from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer


class Relu(TorchLayer):
    """Keep positive numbers and set negative ones to 0.

    Shape: (...) -> (...), y = max(0, x)
    Reference: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, 2010.
    Example: relu
    """

    torch_class = "ReLU"
