"""The largest of many values."""

from __future__ import annotations

import numpy as np

from dlrun.trained.answers import Array


def largest(values: Array, count: int) -> list[int]:
    """The places of the largest values, the largest first; of equal values those that come first."""
    places = np.arange(len(values))
    if len(values) > count:
        least = np.partition(values, len(values) - count)[len(values) - count]
        places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")][:count].tolist()
