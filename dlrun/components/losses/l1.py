from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.losses._numbers import NumbersLoss

if TYPE_CHECKING:
    import torch


class L1(NumbersLoss):
    """The mean absolute error: minus the log likelihood under Laplace noise, up to constants; outliers count less.

    Shape: output and target of one shape. mean(|x - y|)
    Reference: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 10.6.
    Example: l1
    """

    synonyms = ("mean_absolute_error", "mae", "l1_loss")

    def compare(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        return functional.l1_loss(output, target)
