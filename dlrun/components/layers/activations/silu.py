from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer


class Silu(TorchLayer):
    """Multiply each number by its own sigmoid; also called swish.

    Shape: (...) -> (...), y = x / (1 + exp(-x))
    Reference: Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function approximation in
        reinforcement learning, 2017.
    Example: silu
    """

    synonyms = ("swish",)
    torch_class = "SiLU"

    def output_range(self, taken: Range) -> Range:
        return (-0.27847 if taken[0] < 0 else 0.0), max(0.0, taken[1])
