from __future__ import annotations

from dlrun.components.layers._torch import TorchLayer


class Tanhshrink(TorchLayer):
    """The number minus its tanh: nearly 0 near 0, nearly x - 1 or x + 1 far from 0.

    Shape: (...) -> (...), y = x - tanh(x)
    Reference: torch.nn.Tanhshrink.
    Example: tanhshrink
    """

    torch_class = "Tanhshrink"
