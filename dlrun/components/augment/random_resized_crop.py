from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Ratios, Shares

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class RandomResizedCrop(ImageAugmentation):
    """Cut out a part of an image, of random size, shape and position, and resize it to the whole size, bilinearly.

    Ten sizes are drawn and the first that fits is used; if none fits, the largest part in the middle with an allowed
    ratio.

    Shape: (C, H, W) -> (C, H, W), from a part of h*w pixels, h*w = about scale*H*W and w/h = ratio
    Reference: Szegedy and others, Going deeper with convolutions, 2015, section 6.
    Example: random_resized_crop: {scale: [0.5, 1]}
    """

    synonyms = ("resized_crop", "inception_crop")

    scale: Shares = (0.08, 1.0)
    """[low, high] of the part's area, as a share of the image's area."""
    ratio: Ratios = (0.75, 4 / 3)
    """[low, high] of the part's width divided by its height; its logarithm is drawn uniformly."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        import torch

        from dlrun.modules.image_ops import first_that_fits, resized, sizes

        height, width = x.shape[2:]
        across, along = sizes(draw, height * width, self.scale, self.ratio)
        fits = (across > 0) & (across <= width) & (along > 0) & (along <= height)
        none = ~fits.any(1)
        most_along, most_across = self._largest(height, width)
        across, along = first_that_fits(fits, across, along)
        w, h = across.masked_fill(none, most_across).long(), along.masked_fill(none, most_along).long()
        top = torch.where(none, (height - h) // 2, draw.below(height - h + 1))
        left = torch.where(none, (width - w) // 2, draw.below(width - w + 1))
        return resized(x, top, left, h, w)

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """The largest height and width of an allowed ratio."""
        low, high = self.ratio
        if width < low * height:
            return max(1, round(width / low)), width
        return height, min(width, max(1, round(height * high)))
