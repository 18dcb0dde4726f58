from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.dropout._dropout import AnyDropout
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Dropout(AnyDropout):
    """While training, set each number to 0 with probability p and scale the others by 1/(1 - p).

    On a processor p is rounded to a 65,536th, and the others are scaled by what is then kept.

    Shape: (...) -> (...)
    Reference: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout, 2014.
    Example: dropout: 0.5
    """

    synonyms = ("drop",)
    torch_class = "Dropout"

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.dropout import Dropout as Module

        return Module(self.p)
