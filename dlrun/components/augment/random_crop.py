from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from dlrun.components.augment import ImageAugmentation
from dlrun.language.fields import Counts2d
from dlrun.shapes import Shape, ShapeError, along

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class RandomCrop(ImageAugmentation):
    """Add `padding` around an image and cut out a part of the original size at a random position: the image moves.

    Shape: (C, H, W) -> (C, H, W), y[c, i, j] = padded[c, i + a, j + b], a from 0 to 2*padding, b likewise
    Reference: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2016, section 4.2.
    Example: random_crop: {padding: 4, padding_mode: reflect}
    """

    synonyms = ("crop", "pad_and_crop", "random_crop_with_padding", "shift")

    padding: Counts2d
    """Number of pixels on each side, which is how far the image moves at most; or [height, width]."""
    padding_mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    """Which values: a constant, the image mirrored at its edge, the edge repeated, or the image from its other end."""
    fill: float = 0.0
    """The value for mode constant, in preprocessed numbers, where 0 may not be black."""

    @model_validator(mode="after")
    def _fill_for_constant(self) -> Self:
        if self.fill and self.padding_mode != "constant":
            raise ValueError(f"fill is only for padding_mode constant; received {self.padding_mode}")
        return self

    @property
    def _sides(self) -> tuple[int, int]:
        return along(self.padding, 2)[0], along(self.padding, 2)[1]

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        for size, side in zip(shape[1:], self._sides, strict=True):
            most = {"reflect": size - 1, "circular": size}.get(self.padding_mode, side)
            if side > most:
                raise ShapeError(
                    f"padding_mode {self.padding_mode} can add at most {most} to a size of {size}; received {side}"
                )

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from torch.nn import functional

        from dlrun.modules.image_ops import windows

        high, wide = self._sides
        value = self.fill if self.padding_mode == "constant" else None
        padded = functional.pad(x, (wide, wide, high, high), self.padding_mode, value)
        top, left = draw.below(2 * high + 1), draw.below(2 * wide + 1)
        return windows(padded, top, left, x.shape[2], x.shape[3])
