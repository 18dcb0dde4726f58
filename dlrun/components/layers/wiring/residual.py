from __future__ import annotations

import operator
from typing import TYPE_CHECKING, ClassVar

from dlrun.components.layers import Layers, Merging, Wiring
from dlrun.components.layers.dropout.stochastic_depth import StochasticDepth
from dlrun.errors import SpecPath
from dlrun.language.fields import Share
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import fx


class Residual(Merging):
    """Add what the layers make of the input to the input itself, or to what the shortcut makes of it.

    Shape: layers(x) + shortcut(x), which must have one shape
    Reference: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015; drop: Huang, Sun, Liu, Sedra
        and Weinberger, Deep networks with stochastic depth, 2016.
    Example: residual: [{linear: 16}, relu, {linear: 8}]
    """

    synonyms = ("skip", "shortcut")

    layer_lists: ClassVar[tuple[str, ...]] = ("layers", "shortcut")

    layers: Layers
    """What is added."""
    shortcut: Layers = ()
    """What it is added to; the input itself unless given."""
    drop: Share = 0.0
    """Stochastic depth: while training, the share of samples that pass by the layers; see `stochastic_depth`."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        main = wiring.chain(self.layers, value, (*path, "layers"))
        if self.drop:
            main = wiring.chain((StochasticDepth(p=self.drop),), main, (*path, "drop"))
        return wiring.merge(self, [main, wiring.chain(self.shortcut, value, (*path, "shortcut"), "shortcut")], path)

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        main, shortcut = shapes
        if main != shortcut:
            which = "the shortcut gives" if self.shortcut else "the input is"
            hint = "" if self.shortcut else "give a `shortcut` that makes the same shape, such as a 1x1 convolution"
            raise ShapeError(f"the layers give {show(main)} and {which} {show(shortcut)}; they cannot be added", hint)
        return main

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        return [f"out = {show(shapes[0])} + {show(shapes[1])}"]

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        return graph.call_function(operator.add, tuple(values))
