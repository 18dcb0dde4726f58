from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers.normalization._norm import Norm
from dlrun.language.fields import Positive, PositiveFloat
from dlrun.shapes import Shape, ShapeError, numel, show

if TYPE_CHECKING:
    import torch


class GroupNorm(Norm):
    """Give each group of channels of each sample mean 0 and variance 1, then scale and shift each channel.

    Shape: (C, ...) -> (C, ...), y = (x - mean) / sqrt(variance + eps) * weight + bias
    Reference: Wu and He, Group normalization, 2018.
    Example: group_norm: 4
    """

    channel_axis = "first"
    synonyms = ("group_normalization",)

    num_groups: Positive
    """Number of groups into which the channels (the first axis) are split."""
    eps: PositiveFloat = 1e-5
    """Added to the variance, so it is never 0."""
    affine: bool = True
    """Scale and shift each channel afterwards, with trained weights."""

    def together(self, shape: Shape) -> int:
        return numel(shape) // self.num_groups

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise ShapeError("needs at least one axis")
        if shape[0] % self.num_groups:
            raise ShapeError(f"the {shape[0]} channels cannot be split into {self.num_groups} groups")
        if self.together(shape) == 1:
            raise ShapeError(
                f"each group of {show(shape)} is a single number, which minus its mean is always 0", "use fewer groups"
            )
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[:1], "bias": shape[:1]} if self.affine else {}

    def formulas(self, shape: Shape) -> list[str]:
        return [f"channels per group {shape[0]} / {self.num_groups} = {shape[0] // self.num_groups}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.group_norm import GroupNorm

        return GroupNorm(self.num_groups, shape[0], self.eps, self.affine)
