from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.regularizers._numbers import NumbersRegularizer

if TYPE_CHECKING:
    import torch


class L1(NumbersRegularizer):
    """Add `coefficient` times the sum of the weights' absolute values to the loss; it drives weights towards 0.

    As a prior: the loss is a mean over N rows, and N times it is minus the logarithm of a probability. Then the best
    weights are the most probable ones (MAP) where each weight has a Laplace prior of mean 0 and scale
    1/(N*coefficient).

    Shape: coefficient * sum(|w|)
    Reference: Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    Example: l1: 1e-5
    """

    synonyms = ("lasso",)

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.stack([weight.abs().sum() for weight in weights]).sum() * self.coefficient
