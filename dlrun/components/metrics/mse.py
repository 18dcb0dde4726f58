from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._mean import Averaged

if TYPE_CHECKING:
    import torch


class Mse(Averaged):
    """The mean squared error, in squared units of the target.

    Shape: mean((x - y)**2)
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 3.1.1.
    Example: mse
    """

    synonyms = ("mean_squared_error",)

    def weigh(self, error: torch.Tensor) -> torch.Tensor:
        return error.square()
