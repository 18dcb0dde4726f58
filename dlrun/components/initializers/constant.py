from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class Constant(Initializer):
    """One value for every weight; for biases, such as 1 for the forget gate of an lstm.

    Shape: w = value
    Reference: torch.nn.init.constant_.
    Example: constant: 0.1
    """

    synonyms = ("fill", "full")

    value: float
    """The value."""

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.constant_(weight, self.value)
