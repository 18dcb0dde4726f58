"""The base of the flips."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.components.augment import ImageAugmentation

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Flip(ImageAugmentation):
    """Mirrors images along one axis. Each kind declares `p`, the probability."""

    dim: ClassVar[int]
    """The axis of (N, C, H, W)."""
    p: float

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import per_image

        left = per_image(draw.uniform() >= self.p).to(x.dtype)
        return x.flip(self.dim).lerp_(x, left)  # exact for weights 0 and 1, and faster than `where` on a CPU
