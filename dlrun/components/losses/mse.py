from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss

if TYPE_CHECKING:
    import torch


class Mse(NumbersLoss):
    """The mean squared error: minus the log likelihood under Gaussian noise, up to constants.

    Shape: output and target of one shape. mean((x - y)**2)
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 3.1.1.
    Example: mse: {target: input}
    """

    synonyms = ("mean_squared_error", "mse_loss", "l2")

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return functional.mse_loss(output, target)
