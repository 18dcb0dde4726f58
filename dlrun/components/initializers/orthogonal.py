from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers._gain import Gained

if TYPE_CHECKING:
    import torch


class Orthogonal(Gained):
    """A random matrix whose rows (or columns) are orthogonal, so it keeps lengths.

    Shape: W W^T = gain**2 * I, or W^T W for a tall matrix
    Reference: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in
        deep linear neural networks, 2013.
    Example: orthogonal
    """

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.orthogonal_(weight, self.gain)
