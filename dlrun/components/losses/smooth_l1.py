from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss
from dlrun.language.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class SmoothL1(NumbersLoss):
    """`huber` divided by `beta`: the absolute error with its corner at 0 made round.

    It is minus the log likelihood under noise that is Gaussian in the middle and has Laplace tails, up to constants.

    Shape: output and target of one shape. mean of d**2/(2*beta) where |d| < beta, else |d| - beta/2, d = x - y
    Reference: Girshick, Fast R-CNN, 2015.
    Example: smooth_l1: 0.5
    """

    synonyms = ("smooth_l1_loss",)
    main = "beta"

    beta: PositiveFloat = 1.0
    """The error from which on it is the absolute error."""

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return functional.smooth_l1_loss(output, target, beta=self.beta)
