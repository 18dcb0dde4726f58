from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.regularizers import Regularizer

if TYPE_CHECKING:
    import torch


class L1(Regularizer):
    """Add `coefficient` times the sum of the weights' absolute values to the loss; it drives weights towards 0.

    Shape: coefficient * sum(|w|)
    Reference: Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    Example: l1: 1e-5
    """

    synonyms = ("lasso",)

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.stack([weight.abs().sum() for weight in weights]).sum() * self.coefficient
