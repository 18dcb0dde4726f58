"""Shared by pad and crop: how much on each side of each axis."""

from __future__ import annotations

from dlrun.language.fields import Sides
from dlrun.shapes import Shape, ShapeError, show


def sides_along(setting: int | Sides, shape: Shape) -> Sides:
    """How much before and after each axis after the channels; one number is used for all.

    Raises:
        ShapeError: the setting is for another number of axes.
    """
    axes = len(shape) - 1
    if not 1 <= axes <= 3:
        raise ShapeError(f"needs channels with 1 to 3 axes after them; received {show(shape)}")
    if isinstance(setting, int):
        return ((setting, setting),) * axes
    if len(setting) != axes:
        raise ShapeError(
            f"lists {len(setting)} axes, but there are {axes} after the channels; received {show(shape)}",
            "write a number or [before, after] for each: " + show((1,) * axes).replace("(", "[").replace(")", "]"),
        )
    return setting
