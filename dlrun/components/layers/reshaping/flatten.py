from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.shapes import Shape, ShapeError, Window, axis, numel, product

if TYPE_CHECKING:
    import torch


class Flatten(Layer):
    """Join axes into one, with the last axis changing fastest.

    Shape: (A, B, C) -> (A*B*C,); with start_dim and end_dim, only the axes between them
    Reference: torch.nn.Flatten.
    Example: flatten
    """

    accepts = "any"

    start_dim: int = 0
    """The first axis to join, not counting the batch."""
    end_dim: int = -1
    """The last axis to join."""

    def output_shape(self, shape: Shape) -> Shape:
        start, end = self._range(shape)
        return (*shape[:start], numel(shape[start : end + 1]), *shape[end + 1 :])

    def _range(self, shape: Shape) -> tuple[int, int]:
        start, end = axis(self.start_dim, len(shape)), axis(self.end_dim, len(shape))
        if start > end:
            raise ShapeError(f"start_dim {self.start_dim} is after end_dim {self.end_dim}")
        return start, end

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        start, end = self._range(shape)
        before, after = (Window() for _ in range(start)), (Window(axis=at) for at in range(end + 1, len(shape)))
        return (*before, Window() if start == end else None, *after)

    def formulas(self, shape: Shape) -> list[str]:
        start, end = self._range(shape)
        return [f"out = {product(shape[start : end + 1])} = {numel(shape[start : end + 1])}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        start, end = self._range(shape)
        return nn.Flatten(start + 1, end + 1)
