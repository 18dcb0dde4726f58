"""What padding and cropping share: how much at either side of each axis."""

from __future__ import annotations

from dlrun.language.fields import Sides
from dlrun.shapes import Shape, ShapeError, show


def sides_along(setting: int | Sides, shape: Shape) -> Sides:
    """Before and after each axis behind the first, where one number stands for all.

    Raises:
        ShapeError: there are not as many axes as the setting speaks of.
    """
    axes = len(shape) - 1
    if not 1 <= axes <= 3:
        raise ShapeError(f"needs channels with 1 to 3 axes behind them; received {show(shape)}")
    if isinstance(setting, int):
        return ((setting, setting),) * axes
    if len(setting) != axes:
        raise ShapeError(
            f"says something of {len(setting)} axes, but {axes} stand behind the channels; received {show(shape)}",
            "write a number or [before, after] for each: " + show((1,) * axes).replace("(", "[").replace(")", "]"),
        )
    return setting
