"""The base of the global poolings."""

from __future__ import annotations

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, numel, product, show


class GlobalPool(Layer):
    """Reduces each channel to one number."""

    channel_axis = "first"
    keeps_range = True

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"needs channels with axes after them; received {show(shape)}", "remove the layer")
        return shape[:1]

    def formulas(self, shape: Shape) -> list[str]:
        return [f"numbers a channel {product(shape[1:])} = {numel(shape[1:])}"]
