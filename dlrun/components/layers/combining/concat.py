from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import BranchMerge
from dlrun.shapes import Shape, ShapeError, axis, show

if TYPE_CHECKING:
    from torch import fx


class Concat(BranchMerge):
    """Put the branches' outputs side by side along one axis.

    Shape: sizes along dim add up; all others must agree
    Reference: Szegedy and others, Going deeper with convolutions, 2014.
    Example: concat: [[{linear: 8}], [{linear: 4}, relu]]
    """

    synonyms = ("concatenate", "cat")

    dim: int = 0
    """The axis, not counting the batch: 0 is the channels of an image, -1 the features of a sequence."""

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        first = shapes[0]
        if any(len(shape) != len(first) for shape in shapes):
            raise ShapeError(f"the branches output {' and '.join(map(show, shapes))}, with different numbers of axes")
        at = axis(self.dim, len(first))
        for shape in shapes[1:]:
            if shape[:at] + shape[at + 1 :] != first[:at] + first[at + 1 :]:
                raise ShapeError(
                    f"the branches output {' and '.join(map(show, shapes))}; only axis {at} may differ",
                    "`padding: same` or equal strides keep height and width equal",
                )
        return (*first[:at], sum(shape[at] for shape in shapes), *first[at + 1 :])

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        at = axis(self.dim, len(shapes[0]))
        sizes = " + ".join(str(shape[at]) for shape in shapes)
        return [f"out axis {at} = {sizes} = {self.merged_shape(shapes)[at]}"]

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        import torch

        return graph.call_function(torch.cat, (values, axis(self.dim, len(shapes[0])) + 1))
