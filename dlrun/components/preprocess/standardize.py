from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import FittedState, TrainingRows
from dlrun.components.preprocess._affine import Scaling, fitting, need_finite
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np


class Standardize(Scaling):
    """Give each number of a row mean 0 and variance 1 over the training rows.

    A number that is the same in all training rows becomes 0: its value is subtracted and it is not scaled.

    Shape: same as the input. y = (x - mean) / standard deviation, with the deviation's N, not N - 1
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998.
    Example: standardize
    """

    synonyms = ("standard_scaler", "standard", "zscore", "z_score", "normalize", "normalization")

    def formulas(self, shape: Shape, output: Shape) -> list[str]:
        return [f"(x - mean) / deviation for each of {numel(shape)} numbers"]

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        first, count = next(rows.blocks())[0], len(rows)
        constant = np.ones(rows.numbers, dtype=bool)
        with fitting():
            total = np.zeros(rows.numbers)
            for block in rows.blocks():
                total = total + block.sum(axis=0)
                constant &= (block == first).all(axis=0)
            mean = total / count
            deviation = np.sqrt(sum(np.square(block - mean).sum(axis=0) for block in rows.blocks()) / count)
            # A deviation as small as the rounding error of the mean is not meaningful; the bound is scikit-learn's.
            noise = count * np.finfo(np.float64).eps
            known = deviation**2 > noise * deviation**2 + (noise * mean) ** 2
            # The mean of equal numbers can differ from them by a rounding error, and the result would not be 0.
            offset = np.where(constant, first, mean)
            factor = np.divide(1.0, deviation, out=np.ones_like(deviation), where=known & ~constant)
        return need_finite({"offset": offset.reshape(rows.shape), "factor": factor.reshape(rows.shape)})
