from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer


class Relu6(TorchLayer):
    """Limit numbers to the range from 0 to 6.

    Shape: (...) -> (...), y = min(max(0, x), 6)
    Reference: Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.
    Example: relu6
    """

    torch_class = "ReLU6"
