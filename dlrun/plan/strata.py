"""The quantiles of a target of numbers, so that every split can have its share of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.components.sources import SourceError
from dlrun.language.split import Split
from dlrun.plan.split_sizes import split_sizes

Array = np.ndarray[Any, Any]

QUANTILES = 10
"""How many quantiles there are at most; a target with no more different values has each of them in their place."""


def quantiles(values: Array, split: Split) -> tuple[Array, tuple[str, ...]]:
    """(N,) the number of each row's quantile, and their names.

    There are 10, or as many fewer as let every split have a row of each; a value that lies between two belongs to the
    lower one.

    Reference: pandas.qcut with duplicates="drop".

    Raises:
        SourceError: not even two can be told apart.
    """
    sizes = split_sizes(len(values), split)
    wanted = [size for size in (sizes.train, sizes.validation, sizes.test) if size > 0]
    least = split.folds or len(wanted)
    most = min([QUANTILES, *wanted])
    for codes in _candidates(values, most):
        counts = np.bincount(codes)
        if 2 <= len(counts) <= most and counts.min() >= least:
            return codes, tuple(f"quantile {number + 1} of {len(counts)}" for number in range(len(counts)))
    distinct, counts = np.unique(values, return_counts=True)
    message = f"the target has no two quantiles with a row for each split: {len(values)} rows"
    message += f", {counts.max()} of them {distinct[counts.argmax()]:g}"
    raise SourceError(message, ("split", "stratify"), "leave `stratify` out, or add rows")


def _candidates(values: Array, most: int) -> Any:
    """Each value by itself, where there are few, then fewer and fewer quantiles."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) <= most:
        yield codes.reshape(-1)
    for count in range(most, 1, -1):
        edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)))
        yield np.searchsorted(edges[1:-1], values, side="left")
