"""Shared by the steps that learn quantiles: exact ones of the training rows, a few numbers of a row at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess._affine import Samples
from dlrun.components.preprocess._rows import block_bytes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TOGETHER_BYTES = 1 << 26
"""About the bytes of the numbers that are sorted together; at least all samples of one number of a row are."""


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
