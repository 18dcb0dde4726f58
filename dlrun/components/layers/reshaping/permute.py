from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, Window, axis, show

if TYPE_CHECKING:
    import torch


class Permute(Layer):
    """Change the order of the axes.

    Shape: (A, B, C) with dims [2, 0, 1] -> (C, A, B)
    Reference: torch.permute.
    Example: permute: [1, 0]
    """

    synonyms = ("transpose", "swapaxes")
    accepts = "any"

    dims: Annotated[tuple[int, ...], Field(min_length=1)]
    """The axes in their new order, not counting the batch."""

    def order(self, shape: Shape) -> list[int]:
        """The axes, counted from 0.

        Raises:
            ShapeError: they are not the axes of the input, each once.
        """
        order = [axis(dim, len(shape)) for dim in self.dims]
        if sorted(order) != list(range(len(shape))):
            raise ShapeError(f"dims must list each of the {len(shape)} axes once; received {show(self.dims)}")
        return order

    def output_shape(self, shape: Shape) -> Shape:
        return tuple(shape[dim] for dim in self.order(shape))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return tuple(Window(axis=at) for at in self.order(shape))

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.rearranging import Permute as Module

        return Module([0, *(dim + 1 for dim in self.order(shape))])
