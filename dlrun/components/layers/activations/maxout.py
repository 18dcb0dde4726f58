from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import WeightedLayer
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, Window, numel, product

if TYPE_CHECKING:
    import torch


class Maxout(WeightedLayer):
    """For each output, the largest of several linear maps of the last axis: a trained, piecewise linear activation.

    Shape: (..., F) -> (..., out_features), y[j] = max over p of (x W^T + b)[pieces*j + p]
    Reference: Goodfellow, Warde-Farley, Mirza, Courville and Bengio, Maxout networks, 2013.
    Example: maxout: {out_features: 64, pieces: 3}
    """

    padding_is = "per_step"

    out_features: Positive
    """Number of outputs."""
    pieces: Positive = 2
    """How many linear maps each output has; it is the largest of them."""
    bias: bool = True
    """Add a trained offset to each linear map."""

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise ShapeError("needs at least one axis")
        return (*shape[:-1], self.out_features)

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (*(Window() for _ in shape[1:]), None)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        rows = self.out_features * self.pieces
        return {"weight": (rows, shape[-1])} | ({"bias": (rows,)} if self.bias else {})

    def macs(self, shape: Shape) -> int:
        return numel(shape) * self.out_features * self.pieces

    def formulas(self, shape: Shape) -> list[str]:
        rows = f"rows = {self.out_features}*{self.pieces} = {self.out_features * self.pieces}"
        return [rows, f"multiply-adds {product(shape)}*{self.out_features}*{self.pieces} = {self.macs(shape)}"]

    def activations(self, shape: Shape) -> int:
        return (self.pieces + 1) * numel(self.output_shape(shape))

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.maxout import Maxout as Module

        return Module(shape[-1], self.out_features, self.pieces, self.bias)
