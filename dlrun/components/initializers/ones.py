from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class Ones(Initializer):
    """Only ones.

    Shape: w = 1
    Reference: torch.nn.init.ones_.
    Example: ones
    """

    synonyms = ("one",)

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.ones_(weight)
