"""What the adaptive poolings share."""

from __future__ import annotations

from typing import ClassVar

from dlrun.components.layers import Layer
from dlrun.components.layers._slide import need_points
from dlrun.language.fields import Sizes
from dlrun.shapes import Shape, along


class AdaptivePool(Layer):
    """Pools to a given size, whatever the input's own."""

    rank: ClassVar[int]
    """How many axes there are behind the channels."""

    output_size: Sizes

    def output_shape(self, shape: Shape) -> Shape:
        need_points(shape, self.rank)
        return (shape[0], *along(self.output_size, self.rank))
