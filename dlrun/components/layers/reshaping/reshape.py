from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, Window, numel, product, show

if TYPE_CHECKING:
    import torch

Size = Annotated[int, Field(ge=-1)]


class Reshape(Layer):
    """Give the same numbers, in the same order, another shape.

    Shape: (...) -> shape; a size of -1 is computed from the others
    Reference: torch.reshape.
    Example: reshape: [1, 8, 8]
    """

    synonyms = ("view", "unflatten")
    accepts = "any"

    shape: Annotated[tuple[Size, ...], Field(min_length=1)]
    """The new shape of one sample, without the batch; one size may be -1 and is then computed."""

    def output_shape(self, shape: Shape) -> Shape:
        if 0 in self.shape:
            raise ShapeError("a size must not be 0")
        if self.shape.count(-1) > 1:
            raise ShapeError("only one size may be -1")
        known = numel(tuple(size for size in self.shape if size != -1))
        total = numel(shape)
        rest, left = divmod(total, known)
        if left or (-1 not in self.shape and rest != 1):
            raise ShapeError(f"{total} numbers of shape {show(shape)} cannot have the shape {show(self.shape)}")
        return tuple(rest if size == -1 else size for size in self.shape)

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        output = self.output_shape(shape)
        kept = 0  # only the first axes stay the same
        while kept < min(len(shape), len(output)) and shape[kept] == output[kept]:
            kept += 1
        return (*(Window() for _ in range(kept)), *(None for _ in output[kept:]))

    def formulas(self, shape: Shape) -> list[str]:
        return [f"{product(shape)} = {product(self.output_shape(shape))} = {numel(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        if not shape:  # one number: the batch is the only axis
            return nn.Unflatten(0, (-1, *self.output_shape(shape)))
        return (
            nn.Unflatten(1, self.output_shape(shape))
            if len(shape) == 1
            else nn.Sequential(nn.Flatten(1), nn.Unflatten(1, self.output_shape(shape)))
        )
