from __future__ import annotations

from dlrun.components.layers import Range
from dlrun.components.layers.activations._along_axis import AlongAxis
from dlrun.shapes import Shape, ShapeError, axis, show


class Glu(AlongAxis):
    """Split the input in two halves and multiply the first by the sigmoid of the second.

    Shape: 2*n numbers along dim -> n, y = a / (1 + exp(-b)) for the halves a and b
    Reference: Dauphin, Fan, Auli and Grangier, Language modeling with gated convolutional networks, 2016.
    Example: glu
    """

    torch_class = "GLU"

    def output_shape(self, shape: Shape) -> Shape:
        at = axis(self.dim, len(shape))
        if shape[at] % 2:
            raise ShapeError(
                f"splits axis {at} in two halves, but its size {shape[at]} is odd; received {show(shape)}",
                "give the layer before it twice as many outputs as you want here",
            )
        return (*shape[:at], shape[at] // 2, *shape[at + 1 :])

    def formulas(self, shape: Shape) -> list[str]:
        at = axis(self.dim, len(shape))
        return [f"out = {shape[at]} / 2 = {shape[at] // 2}"]

    def output_range(self, taken: Range) -> Range:
        return min(0.0, taken[0]), max(0.0, taken[1])
