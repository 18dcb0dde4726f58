from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.layers import Layer
from dlrun.components.layers._slide import build_sides
from dlrun.components.layers.reshaping._sides import sides_along
from dlrun.language.fields import SidesField
from dlrun.shapes import Shape, ShapeError, Window, per_axis

if TYPE_CHECKING:
    import torch


class Crop(Layer):
    """Cut off the sides of an input, along each axis after the channels.

    Shape: (C, H, W) -> (C, H', W'), H' = H - before - after; (C, L) and (C, D, H, W) likewise
    Reference: Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation, 2015.
    Example: crop: 2
    """

    channel_axis = "first"
    synonyms = ("cropping1d", "cropping2d", "cropping3d", "center_crop")
    keeps_range = True

    cropping: SidesField
    """How much: one number for all sides, or a list with a number or [before, after] for each axis:
    `[[1, 2], [3, 4]]` cuts off 1 row above, 2 below, 3 columns left and 4 right of an image."""

    def output_shape(self, shape: Shape) -> Shape:
        sides = sides_along(self.cropping, shape)
        for size, side in zip(shape[1:], sides, strict=True):
            if sum(side) >= size:
                raise ShapeError(f"nothing is left: {sum(side)} are cut off an axis of size {size}", "cut off less")
        return (shape[0], *(size - sum(side) for size, side in zip(shape[1:], sides, strict=True)))

    def window(self, shape: Shape) -> tuple[Window | None, ...]:
        return (Window(),) * len(shape)

    def formulas(self, shape: Shape) -> list[str]:
        sides = zip(shape[1:], sides_along(self.cropping, shape), strict=True)
        return per_axis([f"{size} - {before} - {after} = {size - before - after}" for size, (before, after) in sides])

    def build(self, shape: Shape) -> torch.nn.Module:
        return build_sides([(-before, -after) for before, after in sides_along(self.cropping, shape)])
