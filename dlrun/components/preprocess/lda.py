from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from dlrun.components.preprocess import FitError, FittedState, TrainingRows
from dlrun.components.preprocess._affine import (
    Projecting,
    add_rows,
    fitting,
    need_finite,
    need_squares,
    of_rounding,
    with_signs,
)
from dlrun.components.preprocess._rows import block_bytes
from dlrun.language.fields import Positive
from dlrun.shapes import Shape, ShapeError, numel

if TYPE_CHECKING:
    import numpy as np

NO_SPREAD = 1e-4
"""In standard deviations: directions that spread less are dropped; the bound is scikit-learn's."""
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

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        (wanted,), _ = self.output_shape(rows.shape, len(rows), classes)
        counts = np.bincount(target, minlength=classes or 0)
        if not counts.all():
            message = f"class number {int(np.argmin(counts))} has no training row"
            raise FitError(message, "`split: {stratify: true}` puts every class into every split")
        still = _constant_within(rows, target, len(counts))
        if still.all():
            message = "all training rows of each class are equal, so distances within a class are 0"
            raise FitError(message, "remove lda, or use `pca` for a projection")
        need_squares(rows)
        with fitting():
            means = _class_means(rows, target, counts)
            within = add_rows(block - means[classed] for block, classed in _with_classes(rows, target, rows.numbers))
            deviation, rounding = np.linalg.norm(within, axis=0) / np.sqrt(len(rows)), rows.rounding()
            still |= deviation <= rounding
            deviation = np.where(still, 1.0, deviation)
            within = np.where(still, 0.0, within) / deviation / np.sqrt(len(rows))
            _, spread, directions = np.linalg.svd(within, full_matrices=False)
            least = of_rounding(directions, rounding / deviation, len(rows)) / np.sqrt(len(rows))
            real = spread > np.maximum(NO_SPREAD, least)
            scaled = (directions[real] / deviation).T / spread[real]
            mean = counts @ means / len(rows)
            apart = np.where(still, 0.0, means - mean) @ scaled
            weights = np.sqrt(counts / (len(counts) - 1))[:, np.newaxis]
            _, distance, axes = np.linalg.svd(weights * apart, full_matrices=False)
            axes = axes[distance > NO_SPREAD * distance.max(initial=0.0)]
            matrix = with_signs(axes[:wanted] @ scaled.T)
            if np.abs(apart @ axes[:wanted].T).max(initial=0.0) < NO_DISTANCE:
                matrix = matrix[:0]
        if len(matrix) < wanted:
            message = f"{wanted} directions are wanted, but the class means differ in only {len(matrix)}"
            raise FitError(message, f"write `lda: {len(matrix)}`" if len(matrix) else "use `pca`")
        return need_finite({"mean": mean, "matrix": np.where(still, 0.0, matrix)})

    def fit_bytes(self, rows: int, numbers: int) -> int:
        return block_bytes(rows, numbers, least=numbers) + 8 * 6 * numbers**2

    def settled(self, state: FittedState) -> Self:
        return self.model_copy(update={"n_components": len(state["matrix"])})


def _with_classes(
    rows: TrainingRows, target: np.ndarray[Any, Any], least: int = 1
) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """All rows in blocks, each with the class numbers of its rows."""
    start = 0
    for block in rows.blocks(least):
        yield block, target[start : start + len(block)]
        start += len(block)


def _class_means(
    rows: TrainingRows, target: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """The mean of each class (classes, numbers)."""
    import numpy as np

    first = next(rows.blocks())[0].copy()
    sums = np.zeros((len(counts), rows.numbers))
    for block, classed in _with_classes(rows, target):
        order = np.argsort(classed, kind="stable")
        present, starts = np.unique(classed[order], return_index=True)
        sums[present] += np.add.reduceat(block[order] - first, starts)
    return first + sums / counts[:, np.newaxis]


def _constant_within(rows: TrainingRows, target: np.ndarray[Any, Any], classes: int) -> np.ndarray[Any, Any]:
    """Which numbers of a row are equal in all rows of a class, for every class."""
    import numpy as np

    still, seen = np.ones(rows.numbers, dtype=bool), np.zeros(classes, dtype=bool)
    first = np.zeros((classes, rows.numbers))
    for block, classed in _with_classes(rows, target):
        present, places = np.unique(classed, return_index=True)
        new = ~seen[present]
        first[present[new]], seen[present] = block[places[new]], True
        still &= (block == first[classed]).all(axis=0)
    return still
