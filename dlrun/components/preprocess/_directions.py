"""The directions in which the training rows vary: for the steps that turn rows by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import FitError, TrainingRows
from dlrun.components.preprocess._affine import add_rows, need_squares, of_rounding, with_signs
from dlrun.components.preprocess._rows import are_one_block, block_bytes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def decomposed(rows: TrainingRows) -> tuple[Array, Array, Array, Array]:
    """The mean (numbers,) of the rows; then, from the largest variance on, the variance in each direction, with N - 1,
    the direction (directions, numbers), and whether the variance is above the rounding error of the largest one, and of
    the numbers themselves.

    Raises:
        FitError: the rows are all equal, or their numbers are too large or too small.
    """
    import numpy as np

    start = next(rows.blocks())[0].copy()  # subtracted first, so the rounding of the mean does not add a direction
    if all((block == start).all() for block in rows.blocks()):
        raise FitError("all training rows are equal, so no direction has any variance")
    need_squares(rows)
    rounding = rows.rounding()
    decompose = _by_blocks if _is_tall(len(rows), rows.numbers) else _whole
    mean, singular, directions = decompose(rows, start, rounding)
    computed = singular[0] * max(len(rows), rows.numbers) * np.finfo(np.float64).eps
    real = singular > np.maximum(computed, of_rounding(directions, rounding, len(rows)))
    return start + mean, singular**2 / (len(rows) - 1), directions, real


def decomposition_bytes(rows: int, numbers: int) -> int:
    """About the bytes that this takes besides the loaded rows."""
    if _is_tall(rows, numbers):
        return block_bytes(rows, numbers, least=numbers) + 8 * 6 * numbers**2
    return 8 * (4 * rows * numbers + min(rows, numbers) ** 2)  # copies of the rows, and both factors


def _is_tall(rows: int, numbers: int) -> bool:
    """Whether rows are decomposed block by block: they are several blocks, and no fewer than a row has numbers."""
    return not are_one_block(rows, numbers) and rows >= numbers


Decomposed = tuple["Array", "Array", "Array"]
"""The mean less the first row, the singular values from the largest on, and the direction of each."""


def _whole(rows: TrainingRows, start: Array, rounding: Array) -> Decomposed:
    """Scikit-learn's decomposition of the rows less the first one."""
    import numpy as np
    from sklearn.decomposition import PCA

    table = rows.table() - start
    table[:, table.std(axis=0) <= rounding] = 0.0
    found = PCA(copy=False, svd_solver="full").fit(table)
    return found.mean_, np.asarray(found.singular_values_), np.asarray(found.components_)


def _by_blocks(rows: TrainingRows, start: Array, rounding: Array) -> Decomposed:
    """The same of many rows, with little memory: the triangle R of their QR decomposition, made block by block, has
    the rows' singular values and directions, with no loss of precision.

    Reference: Golub and Van Loan, Matrix computations, 2013, section 8.6.3.
    """
    import numpy as np

    mean: Any = sum((block - start).sum(axis=0) for block in rows.blocks()) / len(rows)
    triangle = add_rows(block - start - mean for block in rows.blocks(rows.numbers))
    triangle[:, np.linalg.norm(triangle, axis=0) <= rounding * np.sqrt(len(rows))] = 0.0
    _, singular, directions = np.linalg.svd(triangle)
    return mean, singular, with_signs(directions)
