from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Angles

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class RandomRotation(ImageAugmentation):
    """Turn an image about its centre, against the clock, by a random angle.

    Shape: (C, H, W) -> (C, H, W), y = x at (i*cos(a) + j*sin(a), j*cos(a) - i*sin(a)), i and j from the centre
    Reference: Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to visual
    document analysis, 2003.
    Example: random_rotation: {degrees: 15, interpolation: bilinear}
    """

    synonyms = ("rotation", "rotate", "random_rotate")

    degrees: Angles
    """[low, high] of the angle; one number is as far to either side. One of 65,536 angles between them is taken."""
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """What stands between pixels: the nearest one, or a mean of the four around."""
    fill: float = 0.0
    """What comes in from outside the image; the preprocessing has been there before, so 0 need not be black."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import rotated

        if not self.fill:
            return rotated(draw, x, self.degrees, self.interpolation)
        return rotated(draw, x - self.fill, self.degrees, self.interpolation) + self.fill
