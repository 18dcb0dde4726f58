from __future__ import annotations

from dlrun.components.layers import EVERY, Range
from dlrun.components.layers.dropout._dropout import AnyDropout
from dlrun.shapes import Shape, ShapeError


class FeatureAlphaDropout(AnyDropout):
    """An alpha_dropout that drops whole channels (entries of the first axis).

    Shape: (C, ...) -> (C, ...)
    Reference: Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, 2017.
    Example: feature_alpha_dropout: 0.1
    """

    channel_axis = "first"
    drops = 2
    keeps_moments = True
    padding_is = "refused"
    torch_class = "FeatureAlphaDropout"

    def output_range(self, taken: Range) -> Range:
        return EVERY if self.p else taken

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise ShapeError("needs at least one axis; received a single number")
        return shape
