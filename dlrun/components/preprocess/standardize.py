from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import FittedState, TrainingRows
from dlrun.components.preprocess._affine import Per, PerScaling, fitting

if TYPE_CHECKING:
    import numpy as np


class Standardize(PerScaling):
    """Give each number of a row, or each channel or feature, mean 0 and variance 1 over the training rows.

    A number that is the same in all training rows becomes 0: its value is subtracted and it is not scaled.

    Shape: same as the input. y = (x - mean) / standard deviation, with the deviation's N, not N - 1
    Reference: LeCun, Bottou, Orr and Müller, Efficient backprop, 1998.
    Example: standardize
    """

    synonyms = ("standard_scaler", "standard", "zscore", "z_score", "normalize", "normalization")

    per: Per = "number"
    """Learn of each number by itself; or of all numbers of a channel together, the first axis of a row, as in an image
    (C, H, W); or of all numbers of a feature, the last axis, as in a sequence (T, F)."""

    def formula(self) -> str:
        return "(x - mean) / deviation"

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        samples = self.samples(rows)
        first, count = next(samples.blocks())[0], len(samples)
        constant = np.ones(samples.numbers, dtype=bool)
        with fitting():
            total = np.zeros(samples.numbers)
            for block in samples.blocks():
                total = total + block.sum(axis=0)
                constant &= (block == first).all(axis=0)
            mean = total / count
            deviation = np.sqrt(sum(np.square(block - mean).sum(axis=0) for block in samples.blocks()) / count)
            # A deviation as small as the rounding error of the mean is not meaningful; the bound is scikit-learn's.
            noise = count * np.finfo(np.float64).eps
            known = deviation**2 > noise * deviation**2 + (noise * mean) ** 2
            # The mean of equal numbers can differ from them by a rounding error, and the result would not be 0.
            offset = np.where(constant, first, mean)
            factor = np.divide(1.0, deviation, out=np.ones_like(deviation), where=known & ~constant)
        return self.learned(rows, offset, factor)
