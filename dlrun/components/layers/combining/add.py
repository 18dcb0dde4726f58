from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from dlrun.components.layers import Elementwise, Range
from dlrun.shapes import Shape

if TYPE_CHECKING:
    from torch import fx


class Add(Elementwise):
    """Add the branches' outputs.

    Shape: all equal, or 1 where an axis is broadcast
    Reference: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015.
    Example: add: [[], [{linear: 8}, relu]]
    """

    synonyms = ("sum",)

    def merged_range(self, ranges: list[Range]) -> Range:
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        return self.fold(graph, values, operator.add)
