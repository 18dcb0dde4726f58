from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING

from dlrun.components.layers import Elementwise, Range
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

    def merged_range(self, ranges: list[Range]) -> Range:
        def product(one: Range, other: Range) -> Range:
            ends = [a * b if a and b else 0.0 for a in one for b in other]
            return min(ends), max(ends)

        return functools.reduce(product, ranges)

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        return self.fold(graph, values, operator.mul)
