from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.regularizers._numbers import NumbersRegularizer
from dlrun.components.regularizers._squares import sum_of_squares

if TYPE_CHECKING:
    import torch


class L2(NumbersRegularizer):
    """Add `coefficient` times the sum of the squared weights to the loss.

    This is not the optimizer's `weight_decay`. `l2: k` adds 2*k*w to the gradient; torch's sgd with `weight_decay: d`
    adds d*w, so k = d/2 has the same effect. With adam the two are different, since adam rescales the gradient, which
    includes l2; adamw's weight_decay shrinks the weights without changing the gradient. By default l2 leaves out
    biases; weight_decay does not.

    As a prior: the loss is a mean over N rows, and N times it is minus the logarithm of a probability. Then the best
    weights are the most probable ones (MAP) where each weight has a Gaussian prior of mean 0 and variance
    1/(2*N*coefficient).

    Shape: coefficient * sum(w**2)
    Reference: Hoerl and Kennard, Ridge regression, 1970; Loshchilov and Hutter, Decoupled weight decay, 2019.
    Example: l2: 1e-4
    """

    synonyms = ("ridge", "weight_decay")

    def penalty(self, weights: list[torch.Tensor]) -> torch.Tensor:
        return sum_of_squares(weights) * self.coefficient
