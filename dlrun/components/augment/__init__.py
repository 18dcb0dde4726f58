"""Augmentations: the components of `data.augment`, applied to the training rows, with new random numbers each epoch.

A partner is another row, chosen at random from all training rows, as it is in this epoch after the earlier steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.shapes import Shape, ShapeError, show

if TYPE_CHECKING:
    from torch import Tensor

    from dlrun.modules.random_streams import RandomStream


class RowAugmentation(Component):
    """A random change of each row.

    The result for a row must depend on the row, on its partner if it has one, and on `draw` only. So an augmentation
    takes its random numbers from `draw`, the same number in every call, and uses no operation whose rounding depends on
    the batch: no sums over the numbers of a row except `means` of modules/image_ops.py, and no exponential or
    trigonometric functions.
    """

    family: ClassVar[str] = "augment"
    of_images: ClassVar[bool] = False
    """Whether it is for images (C, H, W) alone."""


class InputAugmentation(RowAugmentation):
    """A random change of one input of each row that keeps its target."""

    input: str | None = None
    """The name of the network's input whose rows it changes; required where there are several."""

    @property
    def new_index(self) -> int | None:
        """The index that it puts into rows of indices; None where it puts none."""
        return None

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


class Augmentation(InputAugmentation):
    """A random change of one input of each row that needs no other row."""

    def apply(self, x: Tensor, draw: RandomStream) -> Tensor:
        """Return the changed rows (N, ...), a new tensor; `draw` returns random numbers for each row."""
        raise NotImplementedError


class ImageAugmentation(Augmentation):
    """An augmentation of images (C, H, W)."""

    of_images = True

    def check(self, shape: Shape, indices: bool = False) -> None:
        super().check(shape, indices)
        need_image(shape)


class PartnerAugmentation(InputAugmentation):
    """A random change of one input of each row by what its partner has there; the row keeps its target."""

    def exchange(self, x: Tensor, partners: Tensor, draw: RandomStream) -> Tensor:
        """Return the changed rows (N, ...), a new tensor; `partners` are like `x`, and are not changed either."""
        raise NotImplementedError


class Mixing(RowAugmentation):
    """A random mix of each row with its partner, both inputs and targets.

    The target is mixed by the share of the row that is its own: `share*y + (1 - share)*partner`, where a class is a
    probability of 1 for this class.
    """

    def check(self, shapes: Mapping[str, Shape], indices: Mapping[str, bool]) -> None:
        """Check that the network's inputs can be mixed.

        Args:
            shapes: the shape of one row of each input, by its name.
            indices: whether its numbers are indices, for an embedding.

        Raises:
            ShapeError: they cannot.
        """
        for name in shapes:
            if indices[name]:
                what = f"the input '{name}'" if len(shapes) > 1 else "the network"
                raise ShapeError(f"mixes numbers, but {what} takes indices", "remove the augmentation")

    def mix(
        self, inputs: Sequence[Tensor], partners: Sequence[Tensor], draw: RandomStream
    ) -> tuple[list[Tensor], Tensor]:
        """Return the mixed rows of each input (N, ...), new tensors, and the share of each row that is its own (N,)."""
        raise NotImplementedError


def need_image(shape: Shape) -> None:
    """Hold the shape of one row to an image's.

    Raises:
        ShapeError: it is none.
    """
    if len(shape) != 3:
        hint = "set `model.input` to the shape of the image, [channels, height, width]"
        raise ShapeError(f"needs images (C, H, W); received {show(shape)}", hint)
