from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.regularizers._numbers import NumbersRegularizer
from dlrun.components.regularizers._squares import sum_of_squares
from dlrun.language.fields import Share

if TYPE_CHECKING:
    import torch


class L1L2(NumbersRegularizer):
    """Add a mixture of the sum of absolute weights and the sum of squared weights to the loss: the elastic net.

    `l1_ratio` is the share of the absolute values: 1 is `l1`, 0 is `l2`. scikit-learn's ElasticNet halves the squares;
    this does not. Like `l1` it drives weights to 0, and like `l2` it gives weights that do the same similar values.

    As a prior: the product of the Laplace prior of `l1` and the Gaussian prior of `l2`.

    Shape: coefficient * sum(l1_ratio * |w| + (1 - l1_ratio) * w**2)
    Reference: Zou and Hastie, Regularization and variable selection via the elastic net, 2005.
    Example: l1_l2: {coefficient: 1e-4, l1_ratio: 0.3}
    """

    synonyms = ("elastic_net",)

    l1_ratio: Share = 0.5
    """The share of the absolute values."""

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        import torch

        absolute = torch.stack([weight.abs().sum() for weight in weights]).sum()
        return (absolute * self.l1_ratio + sum_of_squares(weights) * (1 - self.l1_ratio)) * self.coefficient
