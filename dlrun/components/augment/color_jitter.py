from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Factors, Hues, Range
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream

SAME: Range = (1.0, 1.0)


class ColorJitter(ImageAugmentation):
    """Change brightness, contrast, saturation and hue of colour images by random amounts, each for the whole image.

    The channels must be red, green and blue on one scale, with black at 0 for `brightness`. Nothing is cut off at black
    or white, so the order of the first three makes no difference; then the hue turns, as in HSV.

    Shape: (3, H, W) -> (3, H, W), y = b*(c*(s*x + (1 - s)*g) + (1 - c)*m), g = 0.299*R + 0.587*G + 0.114*B,
    m = mean(g) over all pixels; b, c, s are the factors of brightness, contrast and saturation
    Reference: Howard, Some improvements on deep convolutional neural network based image classification, 2013.
    Example: color_jitter: {brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}
    """

    synonyms = (
        "colour_jitter",
        "random_color_jitter",
        "random_saturation",
        "random_hue",
        "random_brightness_contrast",
        "hue_saturation_value",
    )

    brightness: Factors = SAME
    """[low, high] of the factor; one number is its largest distance from 1: 0.4 is [0.6, 1.4]."""
    contrast: Factors = SAME
    """The same, of each pixel's distance from the mean grey of the image."""
    saturation: Factors = SAME
    """The same, of each pixel's distance from its own grey."""
    hue: Hues = (0.0, 0.0)
    """[low, high] of the share of a turn around the circle of colours; one number is the maximum in both directions."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.brightness == self.contrast == self.saturation == SAME and self.hue == (0.0, 0.0):
            raise ValueError("nothing changes; give `brightness`, `contrast`, `saturation` or `hue`")
        return self

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        if shape[0] != 3:
            hint = "`brightness` and `contrast` change images of any channels"
            raise ShapeError(f"needs colour images (3, H, W); received {show(shape)}", hint)

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_colours import grey, hue_turned
        from dlrun.modules.image_ops import between, means, per_image

        def factor(bounds: Range) -> Tensor:
            return per_image(between(bounds, draw.uniform()).to(x.dtype))

        y = x.clone()
        if self.saturation != SAME:
            share = factor(self.saturation)
            y = y.mul_(share).add_(grey(x) * (1 - share))
        if self.contrast != SAME:
            share = factor(self.contrast)
            y = y.mul_(share).add_(per_image(means(grey(x))) * (1 - share))
        if self.brightness != SAME:
            y = y.mul_(factor(self.brightness))
        if self.hue != (0.0, 0.0):
            y = hue_turned(y, between(self.hue, draw.uniform()).to(x.dtype))
        return y
