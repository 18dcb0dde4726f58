from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.preprocess import FittedState, TrainingRows
from dlrun.components.preprocess._affine import Per, PerScaling, fitting
from dlrun.language.component import checked
from dlrun.language.suggestions import shorten

if TYPE_CHECKING:
    import numpy as np


def _read_range(value: Any) -> tuple[float, float]:
    entries = value if isinstance(value, tuple | list) else ()
    numbers = [item for item in entries if isinstance(item, int | float) and not isinstance(item, bool)]
    if len(entries) != 2 or len(numbers) != 2 or not all(abs(number) < math.inf for number in numbers):
        raise ValueError(f"a range is a list of two numbers, [0, 1]; received {shorten(value)}")
    low, high = map(float, numbers)
    if not low < high:
        raise ValueError(f"a range begins with its lower number; received {shorten(value)}")
    return low, high


class Minmax(PerScaling):
    """Scale each number of a row, or each channel or feature, so that its training values cover a given range.

    Other rows may be outside the range. A number that is the same in all training rows becomes the lower end of the
    range.

    Shape: same as the input. y = low + (x - min) * (high - low) / (max - min)
    Reference: Han, Kamber and Pei, Data mining: concepts and techniques, 2011, section 3.5.2.
    Example: minmax
    """

    synonyms = ("min_max", "min_max_scaler", "rescale")

    feature_range: Annotated[
        tuple[float, float],
        PlainValidator(checked(_read_range)),
        WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
    ] = (0.0, 1.0)
    """[low, high]: the scaled smallest and largest training value."""
    per: Per = "number"
    """Learn of each number by itself; or of all numbers of a channel together, the first axis of a row, as in an image
    (C, H, W); or of all numbers of a feature, the last axis, as in a sequence (T, F)."""

    def formula(self) -> str:
        low, high = self.feature_range
        return f"{low:g} to {high:g}"

    def fit(self, rows: TrainingRows, target: np.ndarray[Any, Any], classes: int | None) -> FittedState:
        import numpy as np

        low, high = self.feature_range
        samples = self.samples(rows)
        least, most = np.full(samples.numbers, np.inf), np.full(samples.numbers, -np.inf)
        for block in samples.blocks():
            least, most = np.minimum(least, block.min(axis=0)), np.maximum(most, block.max(axis=0))
        with fitting():
            span = most - least
            factor = (high - low) / np.where(span > 0, span, 1.0)
            offset = least - low / factor
        return self.learned(rows, offset, factor)
