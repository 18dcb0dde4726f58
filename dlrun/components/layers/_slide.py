"""A window that slides along an axis: what convolutions and poolings share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlrun.language.fields import Sizes
from dlrun.shapes import AXES, Shape, Window, along, convolved, need_rank, same_margins

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Slide:
    """A window along one axis."""

    size: int
    """How long the axis is."""
    kernel: int
    stride: int
    dilation: int
    before: int
    """How much is put in front of the axis, and `after` behind it."""
    after: int

    @property
    def span(self) -> int:
        """How far the window reaches."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        """How long the axis is with what is put around it."""
        return self.size + self.before + self.after

    @property
    def places(self) -> int:
        """How many places the window finds; below 1 if it is too large."""
        return convolved(self.padded, self.kernel, self.stride, 0, self.dilation)


def need_points(shape: Shape, rank: int) -> None:
    """Require channels with so many axes behind them.

    Raises:
        ShapeError: with what is needed and what came.
    """
    need_rank(shape, ", ".join(("channels", *AXES[rank])))


def slides(shape: Shape, rank: int, kernel: Sizes, stride: Sizes, dilation: Sizes, padding: Sizes | str) -> list[Slide]:
    """A window along each axis behind the channels, its padding worked out."""
    sizes = zip(shape[1:], along(kernel, rank), along(stride, rank), along(dilation, rank), strict=True)
    found = [Slide(*axis, 0, 0) for axis in sizes]
    if padding == "same":
        margins = [same_margins(slide.size, slide.span, slide.stride) for slide in found]
    elif padding == "full":
        margins = [(slide.span - 1, slide.span - 1) for slide in found]
    else:
        counts = along(0 if isinstance(padding, str) else padding, rank)
        margins = [(count, count) for count in counts]
    return [
        Slide(slide.size, slide.kernel, slide.stride, slide.dilation, before, after)
        for slide, (before, after) in zip(found, margins, strict=True)
    ]


def seen_through(windows: list[Slide]) -> list[Window]:
    """What a place of the output sees of each axis behind the channels."""
    return [Window(slide.span, slide.stride) for slide in windows]


def uneven(windows: list[Slide]) -> bool:
    """Whether some axis gets more behind it than in front, which torch's layers cannot say."""
    return any(slide.before != slide.after for slide in windows)


def build_sides(sides: Sequence[tuple[int, int]], value: float = 0.0) -> torch.nn.Module:
    """Put so much of a value before and after each axis behind the channels; below 0 cuts off."""
    from torch import nn

    module: Any = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}[len(sides)]
    return module(last_axis_first(sides), value)


def last_axis_first(sides: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The sides as torch's paddings take them."""
    return tuple(count for side in reversed(sides) for count in side)
