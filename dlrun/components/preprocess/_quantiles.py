"""Shared by the steps that learn quantiles: exact ones of the training rows, a few numbers of a row at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import WithJsonSchema

from dlrun.components.preprocess._affine import Samples
from dlrun.components.preprocess._rows import block_bytes
from dlrun.language.suggestions import shorten

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TOGETHER_BYTES = 1 << 26
"""About the bytes of the numbers that are sorted together; at least all samples of one number of a row are."""


def in_order(what: str, most: float) -> Callable[[Any], tuple[float, float]]:
    """A reader of two different numbers from 0 to `most`, the lower one first; `what` says that in an error."""

    def read(value: Any) -> tuple[float, float]:
        entries = value if isinstance(value, tuple | list) else ()
        numbers = [float(item) for item in entries if isinstance(item, int | float) and not isinstance(item, bool)]
        if len(entries) != 2 or len(numbers) != 2 or not 0 <= numbers[0] < numbers[1] <= most:
            raise ValueError(f"{what}; received {shorten(value)}")
        return numbers[0], numbers[1]

    return read


def pair_schema(most: float) -> WithJsonSchema:
    """The schema of what `in_order` reads."""
    number = {"type": "number", "minimum": 0, "maximum": most}
    return WithJsonSchema({"type": "array", "items": number, "minItems": 2, "maxItems": 2})


def quantiles(samples: Samples, percents: Array) -> Array:
    """(count, numbers): for each number of a sample the values below which these percentages of the samples are, by
    linear interpolation between neighbours."""
    import numpy as np

    found = np.empty((len(percents), samples.numbers))
    together = _together(len(samples))
    for start in range(0, samples.numbers, together):
        group = slice(start, min(start + together, samples.numbers))
        values, at = np.empty((group.stop - start, len(samples))), 0
        for block in samples.blocks():
            values[:, at : at + len(block)] = block[:, group].T
            at += len(block)
        found[:, group] = np.percentile(values, percents, axis=1, overwrite_input=True)
    return found


def quantiles_bytes(rows: int, numbers: int, count: int) -> int:
    """About the bytes that this takes, of which `count` quantiles of each number; by channels it takes less."""
    gathered = 8 * rows * min(numbers, _together(rows))
    return block_bytes(rows, numbers) + 2 * gathered + 4 * 8 * count * numbers


def _together(samples: int) -> int:
    """How many numbers of a sample are sorted at once."""
    return max(1, TOGETHER_BYTES // (8 * samples))
