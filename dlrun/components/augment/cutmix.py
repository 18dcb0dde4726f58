from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlrun.components.augment import Mixing, need_image
from dlrun.language.fields import PositiveFloat, Share
from dlrun.shapes import Shape, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Cutmix(Mixing):
    """With probability `p`, replace a rectangle of each image by the same rectangle of a partner.

    The targets are mixed by the area that is left, counted in pixels. The partner is chosen at random from all training
    rows, and is as it is in this epoch after the earlier steps. The rectangle's centre is any pixel, and the part of it
    outside the image is cut off.

    Shape: (C, H, W) -> (C, H, W), h = H*sqrt(1 - l), w = W*sqrt(1 - l), l ~ Beta(alpha, alpha);
    y = lam*y1 + (1 - lam)*y2, 1 - lam = pixels in the rectangle / (H*W)
    Reference: Yun, Han, Oh, Chun, Choe and Yoo, CutMix, 2019.
    Example: cutmix: {alpha: 1.0, p: 0.5}
    """

    synonyms = ("cut_mix", "random_cutmix", "fmix")
    of_images = True

    alpha: PositiveFloat = 1.0
    """Both parameters of the Beta distribution of the area that is left."""
    p: Share = 1.0
    """The probability that an image is mixed."""

    def check(self, shapes: Mapping[str, Shape], indices: Mapping[str, bool]) -> None:
        super().check(shapes, indices)
        if len(shapes) > 1:
            hint = "`mixup` mixes all inputs"
            raise ShapeError(f"needs a network with one input, an image; there are {', '.join(shapes)}", hint)
        need_image(next(iter(shapes.values())))

    def mix(
        self, inputs: Sequence[Tensor], partners: Sequence[Tensor], draw: RandomStream
    ) -> tuple[list[Tensor], Tensor]:
        import torch

        from dlrun.modules.image_ops import inside

        (x,), (other,) = inputs, partners
        height, width = x.shape[2:]
        side = (1 - draw.beta(self.alpha).double()).sqrt()
        chosen = draw.uniform() < self.p
        parts = []
        for size in (height, width):
            half = (side * size).long() // 2
            centre = draw.below(size)
            begin, end = (centre - half).clamp(min=0), (centre + half).clamp(max=size)
            parts.append((begin, (end - begin).masked_fill(~chosen, 0)))
        (top, h), (left, w) = parts
        rows, columns = inside(top, h, height), inside(left, w, width)
        pasted = rows[:, None, :, None] & columns[:, None, None, :]
        share = (1 - (h * w).double() / (height * width)).to(torch.float32)
        return [torch.where(pasted, other, x)], share
