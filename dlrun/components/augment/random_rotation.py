from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Angles

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class RandomRotation(ImageAugmentation):
    """Rotate an image about its centre, counterclockwise, by a random angle.

    Shape: (C, H, W) -> (C, H, W), y = x at (i*cos(a) + j*sin(a), j*cos(a) - i*sin(a)), i and j from the centre
    Reference: Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to visual
    document analysis, 2003.
    Example: random_rotation: {degrees: 15, interpolation: bilinear}
    """

    synonyms = ("rotation", "rotate", "random_rotate")

    degrees: Angles
    """[low, high] of the angle, one of 65,536 values between them; one number is the maximum in both directions."""
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """The value between pixels: the nearest pixel, or a weighted mean of the four around."""
    fill: float = 0.0
    """The value outside the image, in preprocessed numbers, where 0 may not be black."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import moved, turns

        matrix = turns(draw, self.degrees)
        if not self.fill:
            return moved(x, matrix, self.interpolation)
        return moved(x - self.fill, matrix, self.interpolation) + self.fill
