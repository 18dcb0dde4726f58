from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.initializers import Initializer

if TYPE_CHECKING:
    import torch


class Identity(Initializer):
    """Ones on the diagonal and zeros elsewhere, so that as many inputs as possible pass unchanged.

    With relu and recurrent weights that start so, a plain recurrent layer keeps a state for many steps.

    Shape: w[i, j] = 1 if i = j else 0
    Reference: Le, Jaitly and Hinton, A simple way to initialize recurrent networks of rectified linear units, 2015.
    Example: identity
    """

    synonyms = ("eye",)
    least_rank = most_rank = 2

    def fill(self, weight: torch.Tensor) -> None:
        from torch.nn import init

        init.eye_(weight)
