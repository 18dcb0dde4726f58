from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._mean import Averaged

if TYPE_CHECKING:
    import torch


class Mae(Averaged):
    """The mean absolute error, in units of the target.

    Shape: mean(|x - y|)
    Reference: Willmott and Matsuura, Advantages of the mean absolute error, 2005.
    Example: mae
    """

    synonyms = ("mean_absolute_error", "l1")

    def weigh(self, error: torch.Tensor) -> torch.Tensor:
        return error.abs()
