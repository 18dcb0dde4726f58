from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from dlrun.components.layers import Elementwise, Range
from dlrun.shapes import Shape

if TYPE_CHECKING:
    from torch import fx


class Average(Elementwise):
    """Take the mean of the branches' outputs.

    Shape: all equal, or 1 where an axis is broadcast
    Reference: Larsson, Maire and Shakhnarovich, FractalNet, 2016.
    Example: average: [[], [{linear: 8}, relu]]
    """

    synonyms = ("mean",)

    def merged_range(self, ranges: list[Range]) -> Range:
        return sum(low for low, _ in ranges) / len(ranges), sum(high for _, high in ranges) / len(ranges)

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        total = self.fold(graph, values, operator.add)
        return graph.call_function(operator.truediv, (total, len(values)))
