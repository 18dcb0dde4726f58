from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PlainValidator, model_validator

from dlrun.components.preprocess import FittedState, TrainingRows
from dlrun.components.preprocess._affine import Per, PerScaling, fitting
from dlrun.components.preprocess._quantiles import in_order, pair_schema, quantiles, quantiles_bytes
from dlrun.language.component import checked

if TYPE_CHECKING:
    import numpy as np


class Robust(PerScaling):
    """Subtract the median of each number of a row, or of each channel or feature, and divide by the range between two
    quantiles, all of the training rows: outliers hardly change these.

    A number whose two quantiles are equal is not scaled.

    Shape: same as the input. y = (x - median) / (quantile 75 % - quantile 25 %)
    Reference: Huber and Ronchetti, Robust statistics, 2009, chapter 5.
    Example: robust
    """

    synonyms = ("robust_scaler",)

    quantile_range: Annotated[
        tuple[float, float],
        PlainValidator(checked(in_order("a range of quantiles is a list of two percentages in order, [25, 75]", 100))),
        pair_schema(100),
    ] = (25.0, 75.0)
    """[low, high]: the quantiles, in percent, whose difference is the scale."""
    with_centering: bool = True
    """Subtract the median."""
    with_scaling: bool = True
    """Divide by the range between the quantiles."""
    per: Per = "number"
    """Learn of each number by itself; or of all numbers of a channel together, the first axis of a row, as in an image
    (C, H, W); or of all numbers of a feature, the last axis, as in a sequence (T, F)."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.with_centering and not self.with_scaling:
            raise ValueError("with_centering and with_scaling are both false, so the step would do nothing")
        return self

    def formula(self) -> str:
        low, high = self.quantile_range
        shifted = "(x - median)" if self.with_centering else "x"
        scaled = f"{shifted} / (quantile {high:g} % - quantile {low:g} %)"
        return scaled if self.with_scaling else shifted.strip("()")

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        low, high = self.quantile_range
        with fitting():
            below, median, above = quantiles(self.samples(rows), np.array([low, 50.0, high]))
            spread = above - below
            # The bound is scikit-learn's.
            known = (spread > 10 * np.finfo(np.float64).eps) & self.with_scaling
            factor = np.divide(1.0, spread, out=np.ones_like(spread), where=known)
            offset = median if self.with_centering else np.zeros_like(median)
        return self.learned(rows, offset, factor)

    def fit_bytes(self, rows: int, numbers: int) -> int:
        if self.per != "number":  # one may have most of the numbers
            return quantiles_bytes(rows * numbers, 1, 3)
        return quantiles_bytes(rows, numbers, 3)
