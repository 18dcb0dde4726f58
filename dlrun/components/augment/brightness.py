from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Factors

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Brightness(ImageAugmentation):
    """Multiply all numbers of an image by a random factor.

    This changes the brightness only if black is 0, as after `minmax`, but not after `standardize`.

    Shape: (C, H, W) -> (C, H, W), y = f*x
    Reference: Howard, Some improvements on deep convolutional neural network based image classification, 2013.
    Example: brightness: 0.4
    """

    synonyms = ("random_brightness",)

    factor: Factors
    """[low, high] of the factor; one number is its largest distance from 1: 0.4 is [0.6, 1.4]."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import between, per_image

        return x * per_image(between(self.factor, draw.uniform()).to(x.dtype))
