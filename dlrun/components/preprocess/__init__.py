"""Preprocessing: what stands in `data.preprocess`, fitted on the training rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from dlrun.errors import LocatedError
from dlrun.language.component import Component
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np

    from dlrun.modules.affine import Affine

FittedState = dict[str, "np.ndarray[Any, Any]"]
"""What a step has learned, by name; float64, so that nothing is lost before the network's own precision."""


class FitError(LocatedError):
    """The training rows do not allow the step."""


class Preprocess(Component):
    """An affine map of each row whose numbers are learned from the training rows.

    It is planned like a layer and becomes a frozen module in front of the network.
    """

    family: ClassVar[str] = "preprocess"

    input: str | None = None
    """The input of the network whose rows it is for, by name; needed where there are several."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        """The shape that comes out, and whether it is certain before fitting; if not, the largest it can be.

        Args:
            shape: one row.
            rows: how many training rows there will be.
            classes: how many classes the target has, None where it is numbers.

        Raises:
            ShapeError: the step cannot be fitted on so many rows of this shape.
        """
        return shape, True

    def fitted(self, shape: Shape, output: Shape) -> dict[str, Shape]:
        """The shapes of the numbers that it learns, the keys of `fit`'s result."""
        raise NotImplementedError

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        """The step's own formulas with this input's numbers in them."""
        return []

    def fit(self, rows: np.ndarray[Any, Any], target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        """Learn from the training rows.

        Args:
            rows: (N, ...), float64.
            target: their class numbers (N,), or their numbers (N, ...).
            classes: how many classes the target has, None where it is numbers.

        Raises:
            FitError: the rows do not allow it.
        """
        raise NotImplementedError

    def settled(self, state: FittedState) -> Self:
        """The step with every size that fitting decided written down, for planning again."""
        return self

    def build(self, state: FittedState) -> Affine:
        """The frozen module: takes raw rows (N, ...) to preprocessed ones."""
        raise NotImplementedError
