from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from dlrun.components.preprocess import FitError, FittedState
from dlrun.components.preprocess._affine import Projecting, fitting, flat, need_finite, need_squares
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, numel

if TYPE_CHECKING:
    import numpy as np

NO_DISTANCE = 1e-10
"""In standard deviations within a class: class means nearer than this differ by rounding only."""


class Lda(Projecting):
    """Project each row on the directions in which the class means of the training rows differ most,
    relative to the spread of the rows within a class.

    Where the scatter within classes is singular, directions without any variation within the classes are dropped, as
    in scikit-learn's svd solver, even if they separate the classes well.

    Shape: (...) of d numbers -> (n_components,). y = (x - mean) W^T
    Reference: Fisher, The use of multiple measurements in taxonomic problems, 1936; Hastie, Tibshirani and
        Friedman, The elements of statistical learning, 2009, section 4.3.
    Example: lda
    """

    synonyms = ("linear_discriminant_analysis",)

    n_components: Positive | None = None
    """Number of directions to keep; if not given, as many as possible: one less than the number of classes."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        if classes is None:
            raise ShapeError("needs a target of classes; the target is numbers", "use `pca`, which needs no classes")
        numbers, wanted = numel(shape), self.n_components
        if wanted is not None and wanted > classes - 1:
            why = f"the means of {classes} classes differ in at most {classes - 1} directions"
            raise ShapeError(f"n_components is {wanted}, but {why}", f"write {classes - 1} or less")
        if wanted is not None and wanted > numbers:
            raise ShapeError(f"n_components is {wanted}, but a row has {numbers} numbers", f"write {numbers} or less")
        return (wanted or min(classes - 1, numbers),), True

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        return [f"out = {output[0]} of {numel(shape)} numbers"]

    def fit(self, rows: np.ndarray[Any, Any], target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        table = flat(rows)
        (wanted,), _ = self.output_shape(rows.shape[1:], len(rows), classes)
        counts = np.bincount(target, minlength=classes or 0)
        if not counts.all():
            message = f"class number {int(np.argmin(counts))} has no training row"
            raise FitError(message, "`split: {stratify: true}` puts every class into every split")
        still = _constant_within(table, target)
        if still.all():
            message = "all training rows of each class are equal, so distances within a class are 0"
            raise FitError(message, "remove lda, or use `pca` for a projection")
        if still.any():  # the solver drops zeros exactly; a rounded mean could hide that these are constant
            table = np.where(still, 0.0, table)
        need_squares(table)
        with fitting():
            fitted = LinearDiscriminantAnalysis(solver="svd").fit(table, target)
            mean, matrix = fitted.xbar_, fitted.scalings_[:, :wanted].T
            if np.abs((fitted.means_ - mean) @ matrix.T).max(initial=0.0) < NO_DISTANCE:
                matrix = matrix[:0]
        if len(matrix) < wanted:
            message = f"{wanted} directions are wanted, but the class means differ in only {len(matrix)}"
            raise FitError(message, f"write `lda: {len(matrix)}`" if len(matrix) else "use `pca`")
        return need_finite({"mean": mean, "matrix": np.where(still, 0.0, matrix)})

    def settled(self, state: FittedState) -> Self:
        return self.model_copy(update={"n_components": len(state["matrix"])})


def _constant_within(table: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which numbers of a row are equal in all rows of a class, for every class."""
    import numpy as np

    still = np.ones(table.shape[1], dtype=bool)
    for number in np.unique(target):
        members = table[target == number]
        still &= members.min(axis=0) == members.max(axis=0)
    return still
