from __future__ import annotations

from dlrun.components.augment._flip import Flip
from dlrun.language.fields import Share


class RandomHorizontalFlip(Flip):
    """With probability `p`, mirror an image so that left and right are exchanged.

    Shape: (C, H, W) -> (C, H, W), y[c, i, j] = x[c, i, W - 1 - j] or x[c, i, j]
    Reference: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, 2012.
    Example: random_horizontal_flip
    """

    synonyms = (
        "flip",
        "random_flip",
        "horizontal_flip",
        "hflip",
        "flip_left_right",
        "random_flip_left_right",
        "random_left_right_flip",
    )
    dim = 3

    p: Share = 0.5
    """The probability that an image is mirrored."""
