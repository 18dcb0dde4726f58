from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer, Padding, Role
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    import torch


class Prelu(Layer):
    """A leaky_relu with a trained slope; penalties leave the slope out, since they would pull it towards a relu.

    Shape: (C, ...) -> (C, ...), y = x if x > 0 else weight*x
    Reference: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015.
    Example: prelu: {per_channel: true}
    """

    synonyms = ("parametric_relu",)

    per_channel: bool = False
    """One slope for each channel (the first axis) instead of one for all (torch's `num_parameters`)."""
    init: float = 0.25
    """The first value of each slope."""

    def output_shape(self, shape: Shape) -> Shape:
        if self.per_channel and not shape:
            raise ShapeError("needs channels; received a single number", "remove `per_channel`")
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[:1] if self.per_channel else (1,)}

    def treats_padding(self, shape: Shape) -> Padding:
        return "refused" if self.per_channel else "per_step"

    def role(self, weight: str) -> Role:
        return "scale"

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        return nn.PReLU(shape[0] if self.per_channel else 1, self.init)
