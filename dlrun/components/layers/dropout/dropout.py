from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.dropout._dropout import AnyDropout
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Dropout(AnyDropout):
    """In training, set each number to 0 with probability p and multiply the others by 1/(1 - p).

    On a CPU p is rounded to a multiple of 1/65,536, and the factor is computed from the rounded p.

    Shape: (...) -> (...)
    Reference: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout, 2014.
    Example: dropout: 0.5
    """

    synonyms = ("drop",)
    torch_class = "Dropout"

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.dropout import Dropout as Module

        return Module(self.p)
