"""The base of the sliding poolings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.components.layers import Layer, Range
from dlrun.components.layers._slide import Slide, build_sides, need_points, seen_through, slides, uneven
from dlrun.language.fields import Sizes
from dlrun.shapes import POINTS, Shape, ShapeError, Window, along, per_axis

if TYPE_CHECKING:
    import torch


class Pool(Layer):
    """Reduces each window to one number."""

    channel_axis = "first"
    keeps_range = True
    rank: ClassVar[int]
    """The number of axes after the channels."""

    kernel_size: Sizes
    stride: Sizes | None = None
    """How far the window moves at each step; if not given, kernel_size."""
    padding: Sizes | str = 0
    ceil_mode: bool = False
    """Include a last window that reaches beyond the edge, instead of dropping the rest."""

    def gaps(self) -> Sizes:
        """The distance between the points of a window."""
        return 1

    def slides(self, shape: Shape) -> list[Slide]:
        """The window along each axis."""
        return slides(shape, self.rank, self.kernel_size, self.stride or self.kernel_size, self.gaps(), self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        need_points(shape, self.rank)
        if self.padding == "same":
            return (shape[0], *(math.ceil(slide.size / slide.stride) for slide in self.slides(shape)))
        return (shape[0], *(places(slide, self.ceil_mode, self.rank) for slide in self.slides(shape)))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (Window(), *seen_through(self.slides(shape)))

    def formulas(self, shape: Shape) -> list[str]:
        windows = self.slides(shape)
        if self.padding != "same":
            return place_formulas(windows, self.ceil_mode)
        sizes = self.output_shape(shape)[1:]
        return per_axis([f"ceil({s.size} / {s.stride}) = {size}" for s, size in zip(windows, sizes, strict=True)])

    def build(self, shape: Shape) -> torch.nn.Module:
        windows = self.slides(shape)
        if self.padding != "same":
            return self.module([slide.before for slide in windows], self.ceil_mode)
        outside = self.outside(windows)
        if outside is not None:
            sides = [(slide.before, slide.after) for slide in windows]
            return _chain(build_sides(sides, outside), self.module([0] * self.rank, ceil_mode=False))
        # torch pads both sides equally. With ceil_mode its last window reaches beyond the end by what is missing there.
        # With stride 1 it does not, so here the beginning gets one point too many, which is cut off afterwards.
        first = [slide.after - slide.before if slide.stride == 1 else 0 for slide in windows]
        padding = [slide.before + more for slide, more in zip(windows, first, strict=True)]
        pool = self.module(padding, ceil_mode=uneven(windows))
        return _chain(pool, build_sides([(-more, 0) for more in first])) if any(first) else pool

    def outside(self, windows: list[Slide]) -> float | None:
        """The value of the padding for `same`, where torch's padding cannot be used."""
        return None

    def module(self, padding: Sequence[int], ceil_mode: bool) -> torch.nn.Module:
        """torch's pooling with this padding."""
        raise NotImplementedError

    def numbers(self, padding: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Window, stride and padding as arguments for torch."""
        kernel = along(self.kernel_size, self.rank)
        return kernel, along(self.stride or kernel, self.rank), tuple(padding)


def _chain(*modules: torch.nn.Module) -> torch.nn.Module:
    from torch import nn

    return nn.Sequential(*modules)


class MaxPool(Pool):
    """Keeps the largest number of each window."""

    dilation: Sizes = 1

    def gaps(self) -> Sizes:
        return self.dilation

    def output_shape(self, shape: Shape) -> Shape:
        output = super().output_shape(shape)
        for slide, count in zip(self.slides(shape), output[1:], strict=True):
            need_points_in_windows(slide, count)
        return output

    def outside(self, windows: list[Slide]) -> float | None:
        return -math.inf if any(2 * slide.after > slide.kernel for slide in windows) else None

    def module(self, padding: Sequence[int], ceil_mode: bool) -> torch.nn.Module:
        from torch import nn

        pool: Any = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[self.rank - 1]
        return pool(*self.numbers(padding), along(self.dilation, self.rank), ceil_mode=ceil_mode)


class AvgPool(Pool):
    """Replaces each window by its mean."""

    count_include_pad: bool | None = None
    """Include the padding's zeros in the mean; if not given, true, but false with padding `same`, as in TensorFlow."""

    def output_range(self, taken: Range) -> Range:
        return (min(0.0, taken[0]), max(0.0, taken[1])) if self.counts() else taken

    def counts(self) -> bool:
        """Whether the padding is included, with the default applied."""
        return self.padding != "same" if self.count_include_pad is None else self.count_include_pad

    def output_shape(self, shape: Shape) -> Shape:
        output = super().output_shape(shape)
        if self.padding != "same" or self.outside(self.slides(shape)) is None:
            need_whole_window(self.slides(shape))
        return output

    def outside(self, windows: list[Slide]) -> float | None:
        return 0.0 if self.counts() and uneven(windows) else None

    def module(self, padding: Sequence[int], ceil_mode: bool) -> torch.nn.Module:
        from torch import nn

        pool: Any = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[self.rank - 1]
        return pool(*self.numbers(padding), ceil_mode, self.counts())


def need_whole_window(windows: list[Slide]) -> None:
    """Require an input as large as a window. torch requires this for averages over volumes, even with padding.

    Raises:
        ShapeError: the input is smaller.
    """
    for slide in windows:
        if len(windows) == 3 and slide.kernel > slide.size:
            raise ShapeError(
                f"a window that spans {slide.kernel} voxels is larger than the input, {slide.size}",
                "use less pooling, here or before",
            )


def need_points_in_windows(slide: Slide, count: int) -> None:
    """Require that each of these windows holds a point of the input. Where one holds none, torch gives -inf, and in the
    backward pass writes outside of its memory, which may abort the process at any later time.

    Raises:
        ShapeError: a window holds padding alone.
    """
    before = range(-slide.before, 0, slide.stride)[:count]  # a window that begins at a point of the input holds that
    if any(start % slide.dilation >= slide.size for start in before):
        raise ShapeError(
            f"a window with dilation {slide.dilation} holds no point of the input, only padding: "
            f"the size of the input there is {slide.size}",
            "use a smaller dilation",
        )


def places(slide: Slide, ceil_mode: bool, rank: int) -> int:
    """The number of windows along an axis.

    Raises:
        ShapeError: there is none, or torch does not allow so much padding.
    """
    padding = slide.before
    if 2 * padding > slide.kernel:
        raise ShapeError(f"padding {padding} is more than half the window, {slide.kernel}")
    room = slide.padded - slide.span
    out = (-(-room // slide.stride) if ceil_mode else room // slide.stride) + 1
    if ceil_mode and (out - 1) * slide.stride >= slide.size + padding:
        out -= 1  # a window must begin inside the image or its left padding
    if out < 1:
        raise ShapeError(
            f"a window that spans {slide.span} {POINTS[rank]} is larger than the padded input, {slide.padded}",
            "use less pooling, here or before",
        )
    return out


def place_formulas(windows: list[Slide], ceil_mode: bool) -> list[str]:
    """The formulas of the number of windows."""
    lines = []
    for slide in windows:
        result = places(slide, ceil_mode, len(windows))
        room = f"({slide.size} + 2*{slide.before} - {slide.span})"
        over = f"ceil({room} / {slide.stride})" if ceil_mode else f"{room} // {slide.stride}"
        outside = (slide.padded - slide.span + slide.stride - 1) // slide.stride + 1 > result
        where = "image" if len(windows) == 2 else "input"
        but = f" - 1 (no window begins outside the {where})" if ceil_mode and outside else ""
        lines.append(f"{over} + 1{but} = {result}")
    return per_axis(lines)
