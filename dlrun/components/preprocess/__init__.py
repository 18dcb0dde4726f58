"""Preprocessing: the components of `data.preprocess`, fitted on the training rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from dlrun.components.preprocess._rows import TrainingRows
from dlrun.errors import LocatedError
from dlrun.language.component import Component
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.affine import Affine

FittedState = dict[str, "np.ndarray[Any, Any]"]
"""The numbers that a step has learned, by name; float64, so nothing is rounded before the network's own precision."""


class FitError(LocatedError):
    """The step cannot be fitted on the training rows; `hint` is a way out."""


class Preprocess(Component):
    """An affine map of each row whose numbers are learned from the training rows.

    It is planned like a layer and becomes a frozen module before the network.
    """

    family: ClassVar[str] = "preprocess"
    elementwise: ClassVar[bool] = False
    """Whether each number is changed by itself and can be computed back."""

    input: str | None = None
    """The name of the network's input whose rows it changes; required where there are several."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        """The output shape, and whether it is known before fitting; if not, it is the largest possible one.

        Args:
            shape: the shape of one row.
            rows: number of training rows.
            classes: number of classes of the target; None where it is numbers.

        Raises:
            ShapeError: the step cannot be fitted on this number of rows of this shape.
        """
        return shape, True

    def fitted(self, shape: Shape, output: Shape) -> dict[str, Shape]:
        """The shapes of the learned numbers, under the keys of the result of `fit`."""
        raise NotImplementedError

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        """The formulas of the step with the numbers of this input."""
        return []

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        """Learn from the training rows.

        Args:
            rows: (N, ...), in float64, block by block.
            target: their class numbers (N,), or their numbers (N, ...).
            classes: number of classes of the target; None where it is numbers.

        Raises:
            FitError: the step cannot be fitted on these rows.
        """
        raise NotImplementedError

    def fit_bytes(self, rows: int, numbers: int) -> int:
        """About the bytes that fitting takes besides the loaded rows; `numbers` is how many a training row has."""
        return 4 * 8 * rows * numbers

    def settled(self, state: FittedState) -> Self:
        """The step with every size that fitting has decided as a setting, to plan again."""
        return self

    def build(self, state: FittedState) -> Affine:
        """The frozen module: maps raw rows (N, ...) to preprocessed rows."""
        raise NotImplementedError
