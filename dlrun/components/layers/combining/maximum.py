from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Elementwise, Range
from dlrun.shapes import Shape

if TYPE_CHECKING:
    from torch import fx


class Maximum(Elementwise):
    """Take the largest of the branches' outputs, element by element.

    Shape: all equal, or 1 where an axis is broadcast
    Reference: Goodfellow, Warde-Farley, Mirza, Courville and Bengio, Maxout networks, 2013.
    Example: maximum: [[], [{linear: 8}, relu]]
    """

    synonyms = ("max",)

    def merged_range(self, ranges: list[Range]) -> Range:
        return max(low for low, _ in ranges), max(high for _, high in ranges)

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        import torch

        return self.fold(graph, values, torch.maximum)
