from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss

if TYPE_CHECKING:
    import torch


class LogCosh(NumbersLoss):
    """The log of the hyperbolic cosine of the error: about d**2/2 for small errors, |d| - log(2) for large ones.

    It is minus the log likelihood under noise with the density 1/(pi*cosh(d)), up to a constant.

    Shape: output and target of one shape. mean(log(cosh(x - y)))
    Reference: Saleh and Saleh, Statistical properties of the log-cosh loss function used in machine learning, 2022.
    Example: log_cosh
    """

    synonyms = ("logcosh", "log_cosh_loss")

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        error = output - target
        return (error + functional.softplus(-2 * error) - math.log(2)).mean()
