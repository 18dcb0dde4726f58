"""The base of the convolutions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.components.layers import WeightedLayer
from dlrun.components.layers._slide import Slide, need_points, seen_through, slides, uneven
from dlrun.language.fields import Positive, Sizes
from dlrun.shapes import POINTS, Shape, ShapeError, Window, along, numel, per_axis, product

if TYPE_CHECKING:
    import torch


class Grouped(WeightedLayer):
    """Kernels over the axes after the channels, in groups of channels that are computed separately."""

    channel_axis = "first"
    rank: ClassVar[int]
    """The number of axes after the channels."""

    out_channels: Positive
    """Number of kernels, which is the number of output channels."""
    kernel_size: Sizes
    stride: Sizes = 1
    dilation: Sizes = 1
    groups: Positive = 1
    """Split the channels into this many groups, which are computed separately."""
    bias: bool = True
    """Add a trained offset to each output channel."""

    def need_groups(self, shape: Shape) -> None:
        """Require channels that can be split into the groups, with the right number of axes after them.

        Raises:
            ShapeError: they cannot, or there are more or fewer axes.
        """
        need_points(shape, self.rank)
        for what, channels in (("input", shape[0]), ("output", self.out_channels)):
            if channels % self.groups:
                raise ShapeError(f"the {channels} {what} channels cannot be split into {self.groups} groups")

    def kernel(self) -> tuple[int, ...]:
        """The size of a kernel along each axis."""
        return along(self.kernel_size, self.rank)

    def named(self, kernels: Shape) -> dict[str, Shape]:
        """The kernels, and the bias if there is one, under torch's names."""
        return {"weight": kernels} | ({"bias": (self.out_channels,)} if self.bias else {})


class Convolution(Grouped):
    """Slides kernels over an input."""

    padding: Sizes | str = 0

    def slides(self, shape: Shape) -> list[Slide]:
        """The window of the kernel along each axis."""
        return slides(shape, self.rank, self.kernel_size, self.stride, self.dilation, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        self.need_groups(shape)
        return (self.out_channels, *fitting_places(self.slides(shape)))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (None, *seen_through(self.slides(shape)))

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return self.named((self.out_channels, shape[0] // self.groups, *self.kernel()))

    def macs(self, shape: Shape) -> int:
        return numel(self.output_shape(shape)) * (shape[0] // self.groups) * numel(self.kernel())

    def formulas(self, shape: Shape) -> list[str]:
        factors = [*self.output_shape(shape), shape[0] // self.groups, *self.kernel()]
        lines = place_formulas(self.slides(shape), self.padding)
        return [*lines, f"multiply-adds {product(factors)} = {self.macs(shape)}"]

    def build(self, shape: Shape) -> torch.nn.Module:
        return build_convolution(self.slides(shape), shape[0], self.out_channels, self.groups, self.bias)


def fitting_places(windows: list[Slide]) -> list[int]:
    """The number of positions of the kernel along each axis.

    Raises:
        ShapeError: the kernel is larger than the padded input.
    """
    for slide in windows:
        if slide.places < 1:
            points = POINTS[len(windows)]
            raise ShapeError(
                f"a kernel that spans {slide.span} {points} is larger than the padded input, {slide.padded}",
                "use a smaller kernel, more padding, or less pooling before",
            )
    return [slide.places for slide in windows]


def place_formulas(windows: list[Slide], padding: Sizes | str) -> list[str]:
    """The formulas of the output's size, and of the padding `same` where it depends on the stride."""
    padded = [_size_formula(slide) for slide in windows]
    if padding != "same" or all(slide.stride == 1 for slide in windows):
        return per_axis(padded)
    return [*per_axis([_padding_formula(slide) for slide in windows], "padding"), *per_axis(padded)]


def _size_formula(slide: Slide) -> str:
    before, after = slide.before, slide.after
    padded = f"{slide.size} + 2*{before}" if before == after else f"{slide.size} + {before + after}"
    span = f"{slide.kernel}" if slide.dilation == 1 else f"({slide.dilation}*({slide.kernel} - 1) + 1)"
    return f"({padded} - {span}) // {slide.stride} + 1 = {slide.places}"


def _padding_formula(slide: Slide) -> str:
    needed = (math.ceil(slide.size / slide.stride) - 1) * slide.stride + slide.span - slide.size
    line = f"(ceil({slide.size} / {slide.stride}) - 1)*{slide.stride} + {slide.span} - {slide.size} = {needed}"
    return f"{line}: none" if needed < 0 else line


def build_convolution(
    windows: list[Slide], in_channels: int, out_channels: int, groups: int, bias: bool
) -> torch.nn.Module:
    """torch's convolution for this number of axes, or one that pads the input first where the two sides differ."""
    from torch import nn

    from dlrun.modules import convolution

    rank = len(windows)
    plain: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    padded: Any = (convolution.PaddedConv1d, convolution.PaddedConv2d, convolution.PaddedConv3d)[rank - 1]
    kernel, stride, dilation, before = (
        tuple(getattr(slide, name) for slide in windows) for name in ("kernel", "stride", "dilation", "before")
    )
    settings = (in_channels, out_channels, kernel, stride, before, dilation, groups, bias)
    if not uneven(windows):
        return plain(*settings)
    return padded(*settings, more=tuple(slide.after - slide.before for slide in windows))
