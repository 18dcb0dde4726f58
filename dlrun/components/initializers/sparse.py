from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer
from dlrun.language.fields import NonNegative, Share

if TYPE_CHECKING:
    import torch


class Sparse(Initializer):
    """A matrix of which a share of each column is 0, and the rest is normal.

    Shape: w ~ N(0, std**2), or 0
    Reference: Martens, Deep learning via Hessian-free optimization, 2010.
    Example: sparse: 0.9
    """

    least_rank = most_rank = 2

    sparsity: Share
    """The share of each column that is 0."""
    std: NonNegative = 0.01
    """The standard deviation of the rest."""

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.sparse_(weight, self.sparsity, self.std)
