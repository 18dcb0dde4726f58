from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PlainValidator, WithJsonSchema

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
from dlrun.components.preprocess._rows import are_one_block, block_bytes
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


class Pca(Projecting):
    """Project each row on the directions in which the training rows vary most.

    The sign of a direction is arbitrary; scikit-learn's choice is used.

    Shape: (...) of d numbers -> (n_components,). y = (x - mean) V^T, V the directions; `whiten` divides
    Reference: Bishop, Pattern Recognition and Machine Learning, 2006, section 12.1.
    Example: pca: 10
    """

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

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        start = next(rows.blocks())[0].copy()  # subtracted first, so the rounding of the mean does not add a direction
        if all((block == start).all() for block in rows.blocks()):
            raise FitError("all training rows are equal, so no direction has any variance")
        need_squares(rows)
        with fitting():
            decompose = _by_blocks if _is_tall(len(rows), rows.numbers) else _whole
            mean, singular, directions = decompose(rows, start)
            variance = singular**2 / (len(rows) - 1)
            real = _above_rounding(singular, directions, rows)
            if isinstance(self.n_components, int):
                wanted = self.n_components
                chosen = np.flatnonzero(real)[:wanted]
            else:
                share = np.cumsum(variance / variance.sum())
                wanted = int(np.searchsorted(share, self.n_components, side="right")) + 1
                chosen = np.flatnonzero(real[:wanted])
            rank = len(chosen)
            if rank == 0 or (rank < wanted and isinstance(self.n_components, int)):
                message = f"{wanted} directions are wanted, but the training rows vary in only {rank}"
                raise FitError(message, f"write `pca: {rank}` or less" if rank else "")
            matrix = directions[chosen]
            if self.whiten:
                matrix = matrix / np.sqrt(variance[chosen, np.newaxis])
        return need_finite({"mean": start + mean, "matrix": matrix})

    def fit_bytes(self, rows: int, numbers: int) -> int:
        if _is_tall(rows, numbers):
            return block_bytes(rows, numbers, least=numbers) + 8 * 6 * numbers**2
        return 8 * (4 * rows * numbers + min(rows, numbers) ** 2)  # copies of the rows, and both factors

    def settled(self, state: FittedState) -> Self:
        return self.model_copy(update={"n_components": len(state["matrix"])})


def _is_tall(rows: int, numbers: int) -> bool:
    """Whether rows are decomposed block by block: they are several blocks, and no fewer than a row has numbers."""
    return not are_one_block(rows, numbers) and rows >= numbers


Decomposed = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
"""The mean less the first row, the singular values from the largest on, and the direction of each."""


def _whole(rows: TrainingRows, start: np.ndarray[Any, Any]) -> Decomposed:
    """Scikit-learn's decomposition of the rows less the first one."""
    import numpy as np
    from sklearn.decomposition import PCA

    table = rows.table() - start
    table[:, table.std(axis=0) <= rows.rounding()] = 0.0
    found = PCA(copy=False, svd_solver="full").fit(table)
    return found.mean_, np.asarray(found.singular_values_), np.asarray(found.components_)


def _by_blocks(rows: TrainingRows, start: np.ndarray[Any, Any]) -> Decomposed:
    """The same of many rows, with little memory: the triangle R of their QR decomposition, made block by block, has
    the rows' singular values and directions, with no loss of precision.

    Reference: Golub and Van Loan, Matrix computations, 2013, section 8.6.3.
    """
    import numpy as np

    mean: Any = sum((block - start).sum(axis=0) for block in rows.blocks()) / len(rows)
    triangle = add_rows(block - start - mean for block in rows.blocks(rows.numbers))
    triangle[:, np.linalg.norm(triangle, axis=0) <= rows.rounding() * np.sqrt(len(rows))] = 0.0
    _, singular, directions = np.linalg.svd(triangle)
    return mean, singular, with_signs(directions)


def _above_rounding(
    singular: np.ndarray[Any, Any], directions: np.ndarray[Any, Any], rows: TrainingRows
) -> np.ndarray[Any, Any]:
    """Which directions are above the rounding error of the largest one, and of the numbers themselves."""
    import numpy as np

    computed = singular[0] * max(len(rows), rows.numbers) * np.finfo(np.float64).eps
    return singular > np.maximum(computed, of_rounding(directions, rows.rounding(), len(rows)))
