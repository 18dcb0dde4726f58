from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from dlrun.components.layers import Layer, Range
from dlrun.components.layers._slide import build_sides, last_axis_first
from dlrun.components.layers.reshaping._sides import sides_along
from dlrun.language.fields import SidesField
from dlrun.shapes import Shape, ShapeError, Window, per_axis

if TYPE_CHECKING:
    import torch


class Pad(Layer):
    """Add values around an input, along each axis after the channels.

    Shape: (C, H, W) -> (C, H', W'), H' = before + H + after; (C, L) and (C, D, H, W) likewise
    Reference: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 2.
    Example: pad: [[0, 1], [0, 1]]
    """

    channel_axis = "first"
    synonyms = (
        "zero_padding1d",
        "zero_padding2d",
        "zero_padding3d",
        "zero_pad2d",
        "constant_pad2d",
        "padding",
        "reflection_pad2d: {mode: reflect}",
        "replication_pad2d: {mode: replicate}",
        "circular_pad2d: {mode: circular}",
    )

    padding: SidesField
    """How much: one number for all sides, or a list with a number or [before, after] for each axis:
    `[[1, 2], [3, 4]]` adds 1 row above, 2 below, 3 columns left and 4 right of an image."""
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    """Which values: a constant, the input mirrored at its edge, the edge repeated, or the input from its other end."""
    value: float = 0.0
    """The value for mode constant."""

    @model_validator(mode="after")
    def _value_for_constant(self) -> Self:
        if self.value and self.mode != "constant":
            raise ValueError(f"value is only for mode constant; received mode {self.mode}")
        return self

    def output_shape(self, shape: Shape) -> Shape:
        sides = sides_along(self.padding, shape)
        for size, side in zip(shape[1:], sides, strict=True):
            most = {"reflect": size - 1, "circular": size}.get(self.mode, max(side))
            if max(side) > most:
                raise ShapeError(f"mode {self.mode} can add at most {most} to a size of {size}; received {max(side)}")
        return (shape[0], *(before + size + after for size, (before, after) in zip(shape[1:], sides, strict=True)))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (Window(),) * len(shape)

    def formulas(self, shape: Shape) -> list[str]:
        sides = zip(shape[1:], sides_along(self.padding, shape), strict=True)
        return per_axis([f"{before} + {size} + {after} = {before + size + after}" for size, (before, after) in sides])

    def output_range(self, taken: Range) -> Range:
        if self.mode != "constant":
            return taken
        return min(self.value, taken[0]), max(self.value, taken[1])

    def build(self, shape: Shape) -> torch.nn.Module:
        from torch import nn

        sides = sides_along(self.padding, shape)
        if self.mode == "constant":
            return build_sides(sides, self.value)
        modules: dict[str, Any] = {
            "reflect": (nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
            "replicate": (nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
            "circular": (nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
        }
        return modules[self.mode][len(sides) - 1](last_axis_first(sides))
