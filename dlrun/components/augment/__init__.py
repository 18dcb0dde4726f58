"""Augmentations: the components of `data.augment`, applied to the training rows, with new random numbers each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Augmentation(Component):
    """A random change of each row that keeps its target, on the device, after the preprocessing.

    The result for a row must depend on the row and on `draw` only. So `apply` takes its random numbers from `draw`, the
    same number in every call, and uses no operation whose rounding depends on the batch: no sums over the numbers of a
    row except `means` of modules/image_ops.py, and no exponential or trigonometric functions.
    """

    family: ClassVar[str] = "augment"

    input: str | None = None
    """The name of the network's input whose rows it changes; required where there are several."""

    def check(self, shape: Shape, indices: bool = False) -> None:
        """Check that the augmentation can be applied to the network's input.

        Args:
            shape: the shape of one row of the input.
            indices: whether its numbers are indices, for an embedding.

        Raises:
            ShapeError: it cannot.
        """
        if indices:
            raise ShapeError("changes numbers, but the network takes indices", "remove the augmentation")

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        """Return the changed rows (N, ...), a new tensor; `draw` returns random numbers for each row."""
        raise NotImplementedError


class ImageAugmentation(Augmentation):
    """An augmentation of images (C, H, W)."""

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        if len(shape) != 3:
            hint = "set `model.input` to the shape of the image, [channels, height, width]"
            raise ShapeError(f"needs images (C, H, W); received {show(shape)}", hint)
