from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from dlrun.components.layers import Elementwise
from dlrun.shapes import Shape

if TYPE_CHECKING:
    from torch import fx


class Multiply(Elementwise):
    """Multiply the branches' outputs, for example for gates or attention over channels.

    Shape: all equal, or 1 where an axis is broadcast
    Reference: Hu, Shen and Sun, Squeeze-and-excitation networks, 2017.
    Example: multiply: [[], [{linear: 8}, relu]]
    """

    synonyms = ("mul",)

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        return self.fold(graph, values, operator.mul)
