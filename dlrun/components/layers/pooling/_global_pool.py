"""What the global poolings share."""

from __future__ import annotations

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, numel, product, show


class GlobalPool(Layer):
    """Leaves one number of each channel."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"needs channels with axes behind them; received {show(shape)}", "leave it out")
        return shape[:1]

    def formulas(self, shape: Shape) -> list[str]:
        return [f"numbers a channel {product(shape[1:])} = {numel(shape[1:])}"]
