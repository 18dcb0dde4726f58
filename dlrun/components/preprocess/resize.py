from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.preprocess import FittedState, Map
from dlrun.language.fields import Sizes2d
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from dlrun.modules.resize import Resize as Module


class Resize(Map):
    """Give each image another size. Both axes are stretched or shrunk by themselves.

    To shrink, `bilinear` and `bicubic` average over all points that a new point covers, so that fine patterns do not
    become coarse ones (antialiasing).

    Shape: (C, H, W) -> (C, h, w), or (H, W) -> (h, w), with (h, w) the `size`
    Reference: torch.nn.functional.interpolate, with antialias.
    Example: resize: [32, 32]
    """

    one_way = "loses points of an image"
    synonyms = ("resizing", "scale_image", "interpolate")

    size: Sizes2d
    """(height, width), or one number for both."""
    mode: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    """Interpolate between 2 or 4 points along each axis, or take the nearest point; `bicubic` can give numbers beyond
    those of the image."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        if len(shape) not in (2, 3):
            message = f"needs images (channels, height, width) or (height, width); received {show(shape)}"
            raise ShapeError(message, "it takes rows as the source has them, before `model.input` gives them a shape")
        return (*shape[:-2], *self._size()), True

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        return [f"{show(shape[-2:])} -> {show(output[-2:])} points, {self.mode}"]

    def build(self, state: FittedState) -> Module:
        from dlrun.modules.resize import Resize as Module

        return Module(self._size(), self.mode)

    def _size(self) -> tuple[int, int]:
        assert isinstance(self.size, tuple)
        height, width = self.size
        return height, width
