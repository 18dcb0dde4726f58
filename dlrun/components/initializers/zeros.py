from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class Zeros(Initializer):
    """Only zeros; for biases, or to show why weights must not all start equal.

    Shape: w = 0
    Reference: torch.nn.init.zeros_.
    Example: zeros
    """

    synonyms = ("zero",)

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.zeros_(weight)
