from __future__ import annotations

import operator
from typing import TYPE_CHECKING, ClassVar

from dlrun.components.layers import Layers, Merging, Range, Wiring
from dlrun.components.layers.dropout.stochastic_depth import StochasticDepth
from dlrun.errors import SpecPath
from dlrun.language.fields import Share
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import fx


class Residual(Merging):
    """Add the output of the layers to their input, or to the output of the shortcut.

    Shape: layers(x) + shortcut(x), which must have one shape
    Reference: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015; drop: Huang, Sun, Liu, Sedra
        and Weinberger, Deep networks with stochastic depth, 2016.
    Example: residual: [{linear: 16}, relu, {linear: 8}]
    """

    synonyms = ("skip", "shortcut")

    layer_lists: ClassVar[tuple[str, ...]] = ("layers", "shortcut")

    layers: Layers
    """The layers whose output is added."""
    shortcut: Layers = ()
    """The layers to whose output it is added; if not given, it is added to the input."""
    drop: Share = 0.0
    """Stochastic depth: the share of samples that skip the layers in training; see `stochastic_depth`."""

    def wire(self, wiring: Wiring, value: int, path: SpecPath) -> int:
        main = wiring.chain(self.layers, value, (*path, "layers"))
        if self.drop:
            main = wiring.chain((StochasticDepth(p=self.drop),), main, (*path, "drop"))
        return wiring.merge(self, [main, wiring.chain(self.shortcut, value, (*path, "shortcut"), "shortcut")], path)

    def merged_shape(self, shapes: list[Shape]) -> Shape:
        main, shortcut = shapes
        if main != shortcut:
            which = "the shortcut outputs" if self.shortcut else "the input is"
            hint = "" if self.shortcut else "add a `shortcut` with the same output shape, such as a 1x1 convolution"
            raise ShapeError(f"the layers output {show(main)} and {which} {show(shortcut)}; they cannot be added", hint)
        return main

    def merge_formulas(self, shapes: list[Shape]) -> list[str]:
        return [f"out = {show(shapes[0])} + {show(shapes[1])}"]

    def merged_range(self, ranges: list[Range]) -> Range:
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    def emit(self, graph: fx.Graph, values: list[fx.Node], shapes: list[Shape]) -> fx.Node:
        return graph.call_function(operator.add, tuple(values))
