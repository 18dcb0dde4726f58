from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.augment import ImageAugmentation
from dlrun.components.augment._range import Spreads
from dlrun.language.fields import Sizes2d
from dlrun.shapes import Shape, ShapeError, along

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class GaussianBlur(ImageAugmentation):
    """Replace each pixel by a weighted mean of those around, with weights of a Gaussian of random width.

    At its edge the image is mirrored.

    Shape: (C, H, W) -> (C, H, W), y[i, j] = sum_ab g[a]*g[b]*x[i + a, j + b], g[a] = exp(-a**2/(2*sigma**2)) / its sum
    Reference: Chen, Kornblith, Norouzi and Hinton, A simple framework for contrastive learning of visual
    representations, 2020, appendix A.
    Example: gaussian_blur: {kernel_size: 5, sigma: [0.1, 2.0]}
    """

    synonyms = ("blur", "random_gaussian_blur", "random_blur")

    kernel_size: Sizes2d
    """How many pixels are weighed along each axis, an odd number; or [height, width]."""
    sigma: Spreads = (0.1, 2.0)
    """[low, high] of the Gaussian's standard deviation in pixels; one number is always that one."""

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if any(size % 2 == 0 for size in along(self.kernel_size, 2)):
            raise ValueError("kernel_size must be odd, so that it has a middle")
        return self

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        for size, kernel in zip(shape[1:], along(self.kernel_size, 2), strict=True):
            if kernel // 2 >= size:
                most = 2 * size - 1
                raise ShapeError(f"the kernel can have at most {most} pixels for a size of {size}; received {kernel}")

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        from dlrun.modules.image_ops import blurred

        return blurred(draw, x, self.sigma, along(self.kernel_size, 2))
