from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, Window, axis, show

if TYPE_CHECKING:
    import torch


class Squeeze(Layer):
    """Remove an axis of size 1.

    Shape: (A, 1, B) with dim 1 -> (A, B)
    Reference: torch.squeeze, which ignores an axis of another size; here that is an error.
    Example: squeeze: 0
    """

    accepts = "any"

    dim: int
    """The axis, not counting the batch."""

    def output_shape(self, shape: Shape) -> Shape:
        at = axis(self.dim, len(shape))
        if shape[at] != 1:
            raise ShapeError(f"axis {at} of {show(shape)} has size {shape[at]}, not 1")
        return shape[:at] + shape[at + 1 :]

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        gone = axis(self.dim, len(shape))
        return tuple(Window(axis=at) for at in range(len(shape)) if at != gone)

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.rearranging import Squeeze as Module

        return Module(axis(self.dim, len(shape)) + 1)
