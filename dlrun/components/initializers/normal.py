from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer
from dlrun.language.fields import NonNegative

if TYPE_CHECKING:
    import torch


class Normal(Initializer):
    """Normal distribution with a given mean and standard deviation.

    Shape: w ~ N(mean, std**2)
    Reference: torch.nn.init.normal_.
    Example: normal
    """

    synonyms = ("gaussian", "random_normal")

    std: NonNegative = 0.01
    """The standard deviation."""
    mean: float = 0.0
    """The mean."""

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.normal_(weight, self.mean, self.std)
