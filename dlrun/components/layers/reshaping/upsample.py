from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from dlrun.components.layers import EVERY, Layer, Range
from dlrun.language.fields import PositiveFloat, SampleShape
from dlrun.shapes import AXES, Shape, ShapeError, Window, per_axis, show

if TYPE_CHECKING:
    import torch

_AXES_OF = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_SPANS = {"nearest": 1, "bicubic": 4}
"""The number of input points that a new point is computed from, along one axis; 2 for the others."""


class Upsample(Layer):
    """Enlarge an image, a sequence or a volume by repeating its points or by interpolating between them.

    Shape: (C, H, W) -> (C, H', W'), H' = floor(H*scale_factor) or from `size`; (C, L) and (C, D, H, W) likewise
    Reference: Odena, Dumoulin and Olah, Deconvolution and checkerboard artifacts, 2016.
    Example: upsample: 2
    """

    channel_axis = "first"
    synonyms = (
        "up_sampling1d",
        "up_sampling2d",
        "up_sampling3d",
        "upsampling",
        "interpolate",
        "resize",
        "upsampling_nearest2d",
        "upsampling_bilinear2d: {mode: bilinear}",
    )

    scale_factor: PositiveFloat | None = None
    """The factor on the size of each axis after the channels."""
    size: SampleShape | None = None
    """The sizes of these axes, instead of a factor; one number for all."""
    mode: Literal["nearest", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    """Repeat the nearest point, or interpolate: linear along a sequence, bilinear or bicubic in an image, trilinear
    in a volume."""
    align_corners: bool = False
    """Align the centres of the corner points of input and output, instead of their edges; not for mode nearest."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.scale_factor is None) == (self.size is None):
            raise ValueError("give either scale_factor or size")
        if self.align_corners and self.mode == "nearest":
            raise ValueError("align_corners is not for mode nearest")
        return self

    def output_shape(self, shape: Shape) -> Shape:
        rank = len(shape) - 1
        wanted = _AXES_OF.get(self.mode, rank)
        if rank not in AXES or rank != wanted:
            names = ", ".join(("channels", *AXES[wanted])) if wanted in AXES else "channels, 1 to 3 axes"
            raise ShapeError(f"mode {self.mode} needs an input of shape ({names}); received {show(shape)}")
        if self.size is not None:
            if len(self.size) not in (1, rank):
                raise ShapeError(f"size {show(self.size)} does not fit the {rank} axes after the channels")
            return (shape[0], *(self.size * rank)[:rank])
        assert self.scale_factor is not None
        grown = tuple(int(size * self.scale_factor) for size in shape[1:])
        if min(grown) < 1:
            raise ShapeError(f"nothing is left: {show(shape[1:])} times {self.scale_factor:g} is {show(grown)}")
        return (shape[0], *grown)

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        from fractions import Fraction

        span, sizes = _SPANS.get(self.mode, 2), zip(shape[1:], self.output_shape(shape)[1:], strict=True)
        return (Window(), *(Window(span, Fraction(size, grown)) for size, grown in sizes))

    def formulas(self, shape: Shape) -> list[str]:
        if self.scale_factor is None or self.scale_factor != int(self.scale_factor):
            return []
        grown = zip(shape[1:], self.output_shape(shape)[1:], strict=True)
        return per_axis([f"{size}*{int(self.scale_factor)} = {result}" for size, result in grown])

    def output_range(self, taken: Range) -> Range:
        return EVERY if self.mode == "bicubic" else taken

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        size = None if self.size is None else self.output_shape(shape)[1:]
        return nn.Upsample(size, self.scale_factor, self.mode, None if self.mode == "nearest" else self.align_corners)
