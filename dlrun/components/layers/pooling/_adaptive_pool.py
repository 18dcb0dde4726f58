"""The base of the adaptive poolings."""

from __future__ import annotations

from typing import ClassVar

from dlrun.components.layers import Layer
from dlrun.components.layers._slide import need_points
from dlrun.language.fields import Sizes
from dlrun.shapes import Shape, along


class AdaptivePool(Layer):
    """Pools an input of any size to a given size."""

    channel_axis = "first"
    keeps_range = True
    rank: ClassVar[int]
    """The number of axes after the channels."""

    output_size: Sizes

    def output_shape(self, shape: Shape) -> Shape:
        need_points(shape, self.rank)
        return (shape[0], *along(self.output_size, self.rank))
