from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Factors

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Contrast(ImageAugmentation):
    """Move all numbers of an image towards the mean of the image, or away from it, by a random factor.

    Shape: (C, H, W) -> (C, H, W), y = m + f*(x - m), m = mean(x) over all channels and pixels
    Reference: Howard, Some improvements on deep convolutional neural network based image classification, 2013.
    Example: contrast: 0.4
    """

    synonyms = ("random_contrast",)

    factor: Factors
    """[low, high] of the factor; one number is its largest distance from 1: 0.4 is [0.6, 1.4]."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import between, means, per_image

        mean = per_image(means(x))
        return (x - mean) * per_image(between(self.factor, draw.uniform()).to(x.dtype)) + mean
