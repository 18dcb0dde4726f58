from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer
from dlrun.spec.fields import PositiveFloat

if TYPE_CHECKING:
    import torch


class Orthogonal(Initializer):
    """A random matrix whose rows (or columns) are orthogonal, so that it keeps lengths.

    Shape: W W^T = gain**2 * I, or W^T W for a tall matrix
    Reference: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in
        deep linear neural networks, 2013.
    Example: orthogonal
    """

    least_rank = 2

    gain: PositiveFloat = 1.0
    """A factor on the spread, for the activation that follows (tanh: 5/3, relu: sqrt(2))."""

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.orthogonal_(weight, self.gain)
