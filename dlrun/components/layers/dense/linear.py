from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import WeightedLayer
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, Window, numel

if TYPE_CHECKING:
    import torch


class Linear(WeightedLayer):
    """Multiply by a matrix and add a bias: y = x W^T + b, on the last axis.

    Shape: (..., F) -> (..., out_features)
    Reference: Goodfellow, Bengio and Courville, Deep Learning, 2016, chapter 6.
    Example: linear: 64
    """

    synonyms = ("dense", "fully_connected", "fc", "lazy_linear", "affine", "inner_product")
    padding_is = "per_step"
    tied_by = "tied_to"

    out_features: Positive
    """Number of outputs; `$classes` is the number of classes in the data."""
    bias: bool = True
    """Add a trained offset to each output."""
    tied_to: str | None = None
    """The name of an earlier layer whose weight this one shares, such as the embedding of the words."""

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise ShapeError("needs at least one axis")
        return (*shape[:-1], self.out_features)

    def weights(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.out_features, shape[-1])}
        return weight | ({"bias": (self.out_features,)} if self.bias else {})

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (*(Window() for _ in shape[1:]), None)

    def macs(self, shape: Shape) -> int:
        return numel(shape) * self.out_features

    def formulas(self, shape: Shape) -> list[str]:
        return [f"multiply-adds {'*'.join(map(str, shape))}*{self.out_features} = {self.macs(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.linear import Linear as Module

        return Module(shape[-1], self.out_features, self.bias)
