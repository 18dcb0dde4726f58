from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape
from dlrun.spec.fields import Share

if TYPE_CHECKING:
    import torch


class Dropout(Layer):
    """While training, set each number to 0 with probability p and scale the others by 1/(1 - p).

    Shape: (...) -> (...)
    Reference: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout, 2014.
    Example: dropout: 0.5
    """

    p: Share = 0.5
    """The share that is dropped (1 - p is kept)."""

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.Dropout(self.p)
