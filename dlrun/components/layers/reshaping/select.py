from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.layers import Layer, Padding
from dlrun.shapes import Shape, ShapeError, Window, axis, show

if TYPE_CHECKING:
    import torch


class Select(Layer):
    """Keep one entry of an axis, or a slice of it, such as the first or the last step of a sequence.

    Shape: (T, F) -> (F,) for `index`; (stop - start, F) for a slice
    Reference: torch.select and Python's slices.
    Example: select: -1
    """

    synonyms = ("slice", "narrow")
    accepts = "any"

    index: int | None = None
    """The entry to keep; -1 is the last. The axis is removed. Padding is not counted: -1 is the last real step."""
    start: int | None = None
    """The first entry of a slice; if not given, the first of the axis."""
    stop: int | None = None
    """The entry before which a slice ends; if not given, it ends with the axis."""
    dim: int = 0
    """The axis, not counting the batch: 0 is the time of a sequence."""

    @model_validator(mode="after")
    def _one_or_a_slice(self) -> Self:
        if (self.index is None) == (self.start is None and self.stop is None):
            raise ValueError("give `index` for one entry, or `start` and `stop` for a slice")
        return self

    def treats_padding(self, shape: Shape) -> Padding:
        return "masked" if self.index is not None and axis(self.dim, len(shape)) == 0 else "refused"

    def output_shape(self, shape: Shape) -> Shape:
        at = axis(self.dim, len(shape))
        if self.index is not None:
            if not -shape[at] <= self.index < shape[at]:
                raise ShapeError(
                    f"axis {at} of {show(shape)} has no entry {self.index}",
                    f"entries are {-shape[at]} to {shape[at] - 1}",
                )
            return shape[:at] + shape[at + 1 :]
        kept = len(range(*slice(self.start, self.stop).indices(shape[at])))
        if not kept:
            size = shape[at]
            hint = f"`start` is from {-size} to {size - 1}, and `stop` after it, up to {size}"
            ends = "".join(
                f" {word} {bound}" for word, bound in (("from", self.start), ("to", self.stop)) if bound is not None
            )
            raise ShapeError(f"the slice{ends} of axis {at} of {show(shape)} is empty", hint)
        return (*shape[:at], kept, *shape[at + 1 :])

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        gone = axis(self.dim, len(shape)) if self.index is not None else None
        return tuple(Window(axis=at) for at in range(len(shape)) if at != gone)

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.rearranging import Select as Module

        kept = slice(self.start, self.stop) if self.index is None else self.index
        return Module(axis(self.dim, len(shape)) + 1, kept)
