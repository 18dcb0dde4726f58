"""What the flips share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.components.augment import ImageAugmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Flip(ImageAugmentation):
    """Mirror images along one axis. A kind declares `p`, the probability."""

    dim: ClassVar[int]
    """The axis of (N, C, H, W)."""
    p: float

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import per_image

        left = per_image(draw.uniform() >= self.p).to(x.dtype)
        return x.flip(self.dim).lerp_(x, left)  # at 0 and 1 it is exact, and on a CPU faster than `where`
