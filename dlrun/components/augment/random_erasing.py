from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Ratios, Shares, is_number
from dlrun.language.component import checked
from dlrun.language.fields import Share
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


def _read_value(value: Any) -> float | tuple[float, ...] | str:
    if value == "random":
        return value
    entries = value if isinstance(value, tuple | list) else (value,)
    if not entries or not all(map(is_number, entries)):
        raise ValueError(f"a number, one for each channel, or `random` is expected; received {shorten(value)}")
    return tuple(map(float, entries)) if isinstance(value, tuple | list) else float(value)


_number = {"type": "number"}
Value = Annotated[
    float | tuple[float, ...] | Literal["random"],
    PlainValidator(checked(_read_value)),
    WithJsonSchema({"anyOf": [_number, {"type": "array", "items": _number, "minItems": 1}, {"enum": ["random"]}]}),
]


class RandomErasing(ImageAugmentation):
    """With probability `p`, fill a rectangle of random size, shape and position with one value.

    Ten sizes are drawn and the first that is smaller than the image is used; if there is none, nothing is erased.

    Shape: (C, H, W) -> (C, H, W), h*w pixels of each channel are erased, h*w = about scale*H*W and h/w = ratio
    Reference: Zhong, Zheng, Kang, Li and Yang, Random erasing data augmentation, 2020.
    Example: random_erasing: {p: 0.25, scale: [0.02, 0.2]}
    """

    synonyms = ("erasing", "random_erase", "cutout", "cut_out", "coarse_dropout")

    p: Share = 0.5
    """The probability that a part of an image is erased."""
    scale: Shares = (0.02, 0.33)
    """[low, high] of the rectangle's area, as a share of the image's area."""
    ratio: Ratios = (0.3, 3.3)
    """[low, high] of the rectangle's height divided by its width; its logarithm is drawn uniformly."""
    value: Value = 0.0
    """The value to fill in, or a list of one for each channel; `random` draws each number from the standard normal
    distribution."""

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        if isinstance(self.value, tuple) and len(self.value) != shape[0]:
            message = f"the list has {len(self.value)} values, and the channels of {show(shape)} are {shape[0]}"
            raise ShapeError(message, "write one value for each channel, or one number for all")

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        import torch

        from dlrun.modules.image_ops import first_that_fits, inside, per_image, sizes

        height, width = x.shape[2:]
        chosen = draw.uniform() < self.p
        along, across = sizes(draw, height * width, self.scale, self.ratio)
        fits = (along < height) & (across < width)
        chosen = chosen & fits.any(1)
        h, w = (
            size.clamp(max=most).long()
            for size, most in zip(first_that_fits(fits, along, across), (height, width), strict=True)
        )
        rows = inside(draw.below(height - h + 1), h, height)
        columns = inside(draw.below(width - w + 1), w, width)
        erased = per_image(chosen) & rows[:, None, :, None] & columns[:, None, None, :]
        if isinstance(self.value, str):
            return torch.where(erased, draw.normal(*x.shape[1:]).to(x.dtype), x)
        if isinstance(self.value, tuple):
            return torch.where(erased, x.new_tensor(self.value).view(-1, 1, 1), x)
        return x.masked_fill(erased, self.value)
