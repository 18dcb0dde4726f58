from __future__ import annotations

from dlrun.components.augment._flip import Flip
from dlrun.language.fields import Share


class RandomVerticalFlip(Flip):
    """With probability `p`, mirror an image so that top and bottom are exchanged.

    Shape: (C, H, W) -> (C, H, W), y[c, i, j] = x[c, H - 1 - i, j] or x[c, i, j]
    Reference: Dieleman, Willett and Dambre, Rotation-invariant convolutional neural networks for galaxy morphology
    prediction, 2015.
    Example: random_vertical_flip
    """

    synonyms = ("vertical_flip", "vflip", "flip_up_down", "random_flip_up_down")
    dim = 2

    p: Share = 0.5
    """The probability that an image is mirrored."""
