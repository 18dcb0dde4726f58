from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class Huber(NumbersLoss):
    """Half the squared error up to `delta`, and a straight line beyond it, so that outliers count less.

    It is minus the log likelihood under noise that is Gaussian in the middle and has Laplace tails, up to constants.

    Shape: output and target of one shape. mean of d**2/2 where |d| <= delta, else delta*(|d| - delta/2), d = x - y
    Reference: Huber, Robust estimation of a location parameter, 1964.
    Example: huber: 1.5
    """

    synonyms = ("huber_loss",)
    main = "delta"

    delta: PositiveFloat = 1.0
    """The error from which on it grows in a straight line."""

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return functional.huber_loss(output, target, delta=self.delta)
