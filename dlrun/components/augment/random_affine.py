from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Angles, Ratios, Shears, Shifts

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class RandomAffine(ImageAugmentation):
    """Rotate, shift, zoom and shear an image about its centre, each by a random amount.

    The image is sheared along x, then along y, then enlarged, rotated against the clock, and moved.

    Shape: (C, H, W) -> (C, H, W), y = x at S*(p - t), p and t from the centre, S the inverse of
    scale * rotation * [[1, 0], [-tan(v), 1]] * [[1, -tan(u)], [0, 1]]
    Reference: Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to visual
    document analysis, 2003.
    Example: random_affine: {degrees: 10, translate: 0.1, scale: [0.9, 1.1], interpolation: bilinear}
    """

    synonyms = (
        "affine",
        "affine_transform",
        "shift_scale_rotate",
        "random_shear: {shear: 10}",
        "shear: {shear: 10}",
        "random_zoom: {scale: [0.8, 1.2]}",
        "zoom: {scale: [0.8, 1.2]}",
        "random_scale: {scale: [0.8, 1.2]}",
        "random_translation: {translate: 0.1}",
        "translation: {translate: 0.1}",
    )

    degrees: Angles = (0.0, 0.0)
    """[low, high] of the angle against the clock; one number is the maximum in both directions."""
    translate: Shifts = (0.0, 0.0)
    """The largest shift to each side as a share of the size, [horizontal, vertical], or one number for both; it is
    rounded to whole pixels."""
    scale: Ratios = (1.0, 1.0)
    """[low, high] of the factor by which the image is enlarged."""
    shear: Shears = (0.0, 0.0, 0.0, 0.0)
    """[low, high] of the angle in degrees along x, or [low, high, low, high] along x and y; one number is the maximum
    in both directions along x."""
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """The value between pixels: the nearest pixel, or a weighted mean of the four around."""
    fill: float = 0.0
    """The value outside the image, in preprocessed numbers, where 0 may not be black."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not any((*self.degrees, *self.translate, *self.shear)) and self.scale == (1.0, 1.0):
            raise ValueError("nothing changes; give `degrees`, `translate`, `scale` or `shear`")
        return self

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import between, moved, sheared, turns

        height, width = x.shape[2:]
        a, b, c, d = sheared(draw, turns(draw, self.degrees), self.shear[:2], self.shear[2:])
        if self.scale != (1.0, 1.0):
            scale = between(self.scale, draw.uniform().double())
            a, b, c, d = a / scale, b / scale, c / scale, d / scale
        shift = None
        if any(self.translate):
            most = self.translate[0] * width, self.translate[1] * height
            right, down = (between((-size, size), draw.uniform().double()).round() for size in most)
            shift = right, down
        filled = x - self.fill if self.fill else x
        found = moved(filled, (a, b, c, d), self.interpolation, shift)
        return found + self.fill if self.fill else found
