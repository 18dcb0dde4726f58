"""A window that slides along an axis, for convolutions and poolings."""

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
    """The length of the axis."""
    kernel: int
    stride: int
    dilation: int
    before: int
    """The padding before the axis; `after` is the padding after it."""
    after: int

    @property
    def span(self) -> int:
        """How many points the window reaches over."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        """The length of the axis with its padding."""
        return self.size + self.before + self.after

    @property
    def places(self) -> int:
        """How many positions the window has; below 1 if it is too large."""
        return convolved(self.padded, self.kernel, self.stride, 0, self.dilation)


def need_points(shape: Shape, rank: int) -> None:
    """Require channels with `rank` axes after them.

    Raises:
        ShapeError: the input has another number of axes.
    """
    need_rank(shape, ", ".join(("channels", *AXES[rank])))


def slides(shape: Shape, rank: int, kernel: Sizes, stride: Sizes, dilation: Sizes, padding: Sizes | str) -> list[Slide]:
    """A window along each axis after the channels, with its padding computed."""
    sizes = zip(shape[1:], along(kernel, rank), along(stride, rank), along(dilation, rank), strict=True)
    windows = [Slide(*axis, 0, 0) for axis in sizes]
    if padding == "same":
        margins = [same_margins(slide.size, slide.span, slide.stride) for slide in windows]
    elif padding == "full":
        margins = [(slide.span - 1, slide.span - 1) for slide in windows]
    else:
        counts = along(0 if isinstance(padding, str) else padding, rank)
        margins = [(count, count) for count in counts]
    return [
        Slide(slide.size, slide.kernel, slide.stride, slide.dilation, before, after)
        for slide, (before, after) in zip(windows, margins, strict=True)
    ]


def seen_through(windows: list[Slide]) -> list[Window]:
    """The part of each axis after the channels that a position of the output depends on."""
    return [Window(slide.span, slide.stride) for slide in windows]


def uneven(windows: list[Slide]) -> bool:
    """Whether an axis has more padding after it than before it, which torch's layers have no setting for."""
    return any(slide.before != slide.after for slide in windows)


def build_sides(sides: Sequence[tuple[int, int]], value: float = 0.0) -> torch.nn.Module:
    """Add so many points of a value before and after each axis after the channels; a negative number cuts off."""
    from torch import nn

    module: Any = {1: nn.ConstantPad1d, 2: nn.ConstantPad2d, 3: nn.ConstantPad3d}[len(sides)]
    return module(last_axis_first(sides), value)


def last_axis_first(sides: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The sides in the order of torch's paddings."""
    return tuple(count for side in reversed(sides) for count in side)
