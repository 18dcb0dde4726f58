"""Augmentations: what stands in `data.augment`, applied to the training rows anew in every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class Augmentation(Component):
    """A random change of each row that leaves its target as it is, on the device, after the preprocessing.

    What becomes of a row must depend on the row and on `draw` alone. So an `apply` takes its random numbers from
    `draw`, the same ones in every call, and does nothing that torch computes otherwise for another batch: no sums
    over a row's numbers but `means` of modules/image_ops.py, no exponential or trigonometric functions.
    """

    family: ClassVar[str] = "augment"

    input: str | None = None
    """The input of the network whose rows it changes, by name; needed where there are several."""

    def check(self, shape: Shape, indices: bool = False) -> None:
        """Hold the network's input against what the step can take.

        Args:
            shape: one row, as the network takes it.
            indices: whether its numbers are indices, for an embedding.

        Raises:
            ShapeError: the step cannot take it.
        """
        if indices:
            raise ShapeError(
                "changes numbers, and the network takes indices", "an index has no neighbours: leave it out"
            )

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        """The rows (N, ...) changed, a new tensor; `draw` gives random numbers for each of them."""
        raise NotImplementedError


class ImageAugmentation(Augmentation):
    """An augmentation of images (C, H, W)."""

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        if len(shape) != 3:
            hint = "say in `model.input` how a row is an image: [channels, height, width]"
            raise ShapeError(f"needs images (C, H, W); received {show(shape)}", hint)
