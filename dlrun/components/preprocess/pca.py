from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.preprocess import FitError, FittedState
from dlrun.components.preprocess._affine import Projecting, fitting, flat, largest, need_finite, need_squares
from dlrun.language.component import checked
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, ShapeError, numel

if TYPE_CHECKING:
    import numpy as np


def _read_components(value: Any) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError(
        "'n_components' is a whole number from 1 on, or a share of the variance between 0 and 1; "
        f"received {shorten(value)}"
    )


BLOCK_BYTES = 1 << 25
"""About the bytes of a table that are decomposed at a time; a table of two blocks or less is decomposed whole."""


class Pca(Projecting):
    """Project each row on the directions in which the training rows vary most.

    The sign of a direction is arbitrary; scikit-learn's choice is used.

    Shape: (...) of d numbers -> (n_components,). y = (x - mean) V^T, V the directions; `whiten` divides
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 12.1.
    Example: pca: 10
    """

    takes_float32 = True
    synonyms = ("principal_component_analysis",)

    n_components: Annotated[
        int | float,
        PlainValidator(checked(_read_components)),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                ]
            }
        ),
    ]
    """Number of directions to keep; or a share, such as 0.95: as many as keep more than that share of the variance."""
    whiten: bool = False
    """Scale each direction to variance 1 over the training rows."""

    def output_shape(self, shape: Shape, rows: int, classes: int | None) -> tuple[Shape, bool]:
        numbers = numel(shape)
        most = min(rows - 1, numbers)
        if rows < 2:
            raise ShapeError(f"needs at least 2 training rows; there are {rows}")
        if not isinstance(self.n_components, int):
            return (most,), False
        if self.n_components > most:
            few_rows = f"{rows} training rows, minus one for their mean,"
            why = few_rows if most < numbers else f"{numbers} numbers in a row"
            raise ShapeError(f"n_components is {self.n_components}, but {why} allow at most {most}")
        return (self.n_components,), True

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        if isinstance(self.n_components, int):
            return [f"out = {output[0]} of {numel(shape)} numbers"]
        share = f"as many as keep {self.n_components:g} of the variance"
        return [f"out = at most {output[0]} of {numel(shape)} numbers, {share}"]

    def fit(self, rows: np.ndarray[Any, Any], target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        table = flat(rows)
        start = table[0].astype(np.float64)  # subtracted first, so the rounding of the mean does not add a direction
        if all((block == start).all() for block in _blocks(table)):
            raise FitError("all training rows are equal, so no direction has any variance")
        need_squares(table)
        with fitting():
            fitted = self._fit_blocks(table) if _is_tall(*table.shape) else self._fit_whole(table)
            rank = _rank(fitted.singular_values_, table)
            kept = len(fitted.components_)
            if rank < kept and (rank == 0 or isinstance(self.n_components, int)):
                message = f"{kept} directions are wanted, but the training rows vary in only {rank}"
                raise FitError(message, f"write `pca: {rank}` or less" if rank else "")
            kept = min(kept, rank)
            matrix = fitted.components_[:kept]
            if self.whiten:
                matrix = matrix / np.sqrt(fitted.explained_variance_[:kept, np.newaxis])
        return need_finite({"mean": start + fitted.mean_, "matrix": matrix})

    def _fit_whole(self, table: np.ndarray[Any, Any]) -> Any:
        """Scikit-learn's decomposition of the rows less the first one."""
        from sklearn.decomposition import PCA

        solver = PCA(self.n_components, copy=False, whiten=self.whiten, svd_solver="full")
        return solver.fit(table - table[0].astype(float))

    def _fit_blocks(self, table: np.ndarray[Any, Any]) -> Any:
        """The same of a tall table, with little memory: the triangle R of its QR decomposition, made block by block,
        has the table's singular values and directions, with no loss of precision.

        Reference: Golub and Van Loan, Matrix computations, 2013, section 8.6.3.
        """
        import numpy as np
        from sklearn.decomposition import PCA
        from sklearn.utils.extmath import svd_flip

        start, count = table[0].astype(np.float64), len(table)
        mean = sum((block - start).sum(axis=0) for block in _blocks(table)) / count
        triangle = np.zeros((0, table.shape[1]))
        for block in _blocks(table):
            triangle = np.linalg.qr(np.concatenate([triangle, block - start - mean]), mode="r")
        _, singular, directions = np.linalg.svd(triangle)
        _, directions = svd_flip(None, directions, u_based_decision=False)
        variance = singular**2 / (count - 1)
        kept = self.n_components
        if not isinstance(kept, int):
            kept = int(np.searchsorted(np.cumsum(variance / variance.sum()), kept, side="right")) + 1
        fitted: Any = PCA()
        fitted.mean_, fitted.components_ = mean, directions[:kept]
        fitted.singular_values_, fitted.explained_variance_ = singular[:kept], variance[:kept]
        return fitted

    def fit_bytes(self, rows: int, numbers: int) -> int:
        if _is_tall(rows, numbers):
            return 4 * BLOCK_BYTES + 8 * 6 * numbers**2
        return 8 * (4 * rows * numbers + min(rows, numbers) ** 2)  # copies of the rows, and both factors

    def settled(self, state: FittedState) -> Self:
        return self.model_copy(update={"n_components": len(state["matrix"])})


def _is_tall(rows: int, numbers: int) -> bool:
    """Whether a table is decomposed block by block: it is large, and has many more rows than numbers in a row."""
    return 8 * rows * numbers > 2 * BLOCK_BYTES and rows >= 4 * numbers


def _blocks(table: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """The rows of a table in pieces, each with at least as many rows as a row has numbers."""
    rows = max(BLOCK_BYTES // (8 * table.shape[1]), table.shape[1])
    for start in range(0, len(table), rows):
        yield table[start : start + rows]


def _rank(singular: np.ndarray[Any, Any], table: np.ndarray[Any, Any]) -> int:
    """The number of directions above the rounding error of the largest one, and of the numbers themselves."""
    import numpy as np

    of_numbers = largest(table) * np.sqrt(len(table)) * np.finfo(table.dtype).eps
    least = max(singular[0] * max(table.shape) * np.finfo(np.float64).eps, of_numbers)
    return int((singular > least).sum())
