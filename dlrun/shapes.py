"""Shapes and their arithmetic. A shape is one sample's, without the batch: an image is (C, H, W), a sequence (T, F)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dlrun.errors import LocatedError

if TYPE_CHECKING:
    from fractions import Fraction

Shape = tuple[int, ...]

Range = tuple[float, float]
"""The lowest and the highest value that numbers can have; an end may be reached or only come near."""
EVERY: Range = (-math.inf, math.inf)

MAX_NUMEL = 2**62
"""No torch tensor can have more values than this."""


class Window(NamedTuple):
    """The part of an input's axis that one place of the output sees."""

    span: int = 1
    """How many places of the input it covers."""
    stride: int | Fraction = 1
    """How far apart two neighbours of the output are in the input; below 1 where the output is larger."""
    axis: int | None = None
    """The axis of the input; the one in the same position unless given."""


class ShapeError(LocatedError):
    """A layer cannot take its input."""


def numel(shape: Shape) -> int:
    """How many values a shape holds."""
    return math.prod(shape)


def show(shape: Shape) -> str:
    """``(32, 8, 8)``, and ``(64,)`` for a row."""
    return f"({shape[0]},)" if len(shape) == 1 else "(" + ", ".join(map(str, shape)) + ")"


def show_named(shapes: Mapping[str, Shape]) -> str:
    """One shape without its name; several shapes, each after its name: ``image (1, 8, 8), table (3,)``."""
    if len(shapes) == 1:
        return show(next(iter(shapes.values())))
    return ", ".join(f"{name} {show(shape)}" for name, shape in shapes.items())


def product(shape: Sequence[int]) -> str:
    """``32*1*3*3``; an empty shape is one value."""
    return "*".join(map(str, shape)) or "1"


def need_rank(shape: Shape, names: str) -> None:
    """Require a shape with as many axes as `names` lists, such as ``"C, H, W"``.

    Raises:
        ShapeError: the number of axes is another.
    """
    wanted = names.count(",") + (not names.endswith(","))
    if len(shape) != wanted:
        raise ShapeError(f"needs an input of shape ({names}); received {show(shape)}", _rank_hint(len(shape), wanted))


def _rank_hint(rank: int, wanted: int) -> str:
    if wanted == 3 and rank == 1:
        reshape = "reshape a row to an image first, `- reshape: [channels, height, width]`"
        return f"{reshape}, or write the image's shape in `model.input`"
    if wanted == 3 and rank == 2:
        return "an image has channels: write [1, height, width] as `model.input`, or `- reshape: [1, height, width]`"
    return ""


def axis(dim: int, rank: int) -> int:
    """`dim` counted from the front; it may be negative, as in torch, and never counts the batch.

    Raises:
        ShapeError: there is no such axis.
    """
    if not -rank <= dim < rank:
        raise ShapeError(f"dim {dim} does not exist; the input has {rank} " + ("axis" if rank == 1 else "axes"))
    return dim % rank


def convolved(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many places a window has along one axis: (size + 2*padding - dilation*(kernel - 1) - 1) // stride + 1."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def transposed(size: int, kernel: int, stride: int, padding: int, output_padding: int, dilation: int) -> int:
    """The size that a transposed convolution makes:
    (size - 1)*stride - 2*padding + dilation*(kernel - 1) + output_padding + 1.
    """
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


def same_margins(size: int, span: int, stride: int) -> tuple[int, int]:
    """The zeros before and after an axis with which a window has ceil(size / stride) places, as in TensorFlow:
    max((ceil(size / stride) - 1)*stride + span - size, 0) in total; if that is odd, the larger part comes after.
    """
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def along(setting: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A setting as one number for each axis; one number alone is for all axes."""
    return (setting,) * axes if isinstance(setting, int) else tuple(setting)


AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The names of the axes after the channels, by their number."""
POINTS = {1: "steps", 2: "pixels", 3: "voxels"}
"""The name of the places, by the number of axes."""


def per_axis(lines: Sequence[str], what: str = "out") -> list[str]:
    """One formula if it is the same for all axes, otherwise one for each axis by name."""
    if len(set(lines)) == 1:
        return [f"{what} = {lines[0]}"]
    return [f"{what} {name} = {line}" for name, line in zip(AXES[len(lines)], lines, strict=True)]


def readable(count: float) -> str:
    """A count for people to read: ``1.23 M``."""
    return _in_units(count, 1000, ("", " k", " M", " G", " T", " P"))


def readable_bytes(count: int) -> str:
    """A number of bytes for people to read: ``1.5 MiB``."""
    return _in_units(count, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB"))


def _in_units(count: float, step: int, units: Sequence[str]) -> str:
    """`count` with three digits or as a whole number, in the unit in which it is less than `step`."""
    if count < step:
        return f"{count:g}{units[0]}"
    index = 0
    while round(count) >= step and index + 1 < len(units):
        index += 1
        count /= step
    return (f"{count:.3g}" if count < 999.5 else f"{count:.0f}") + units[index]
