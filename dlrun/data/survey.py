"""One look at every number of the loaded arrays: a digest, and whether they are what the network can take."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dlrun import cache
from dlrun.cache import finished
from dlrun.components.sources import SourceError
from dlrun.shapes import numel
from dlrun.stored import StoredArray

Array = np.ndarray[Any, Any]

PIECE_BYTES = 1 << 24
"""Bytes of an array that are looked at, or copied, at a time."""
REMEMBERED = 1 << 26
"""Bytes of an array from which on it is remembered what is known of it."""
VERSION = 2
"""Of what is remembered."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of an array that stays in its file, after one look at all of it."""

    digest: str
    """See `digest`."""
    lowest: float
    highest: float
    whole: bool
    """Whether all its numbers are whole."""


def digest(values: Array | StoredArray) -> str:
    """SHA-256 over type, shape and bytes of an array: the same in memory and in a file."""
    found = hashlib.sha256()
    for start, stop in _pieces(values):
        found.update(np.ascontiguousarray(values[start:stop]).data)
    return finished(found, values.dtype.str, values.shape)


def survey(values: StoredArray, name: str) -> Survey:
    """Look at all numbers of an array, some rows at a time.

    Raises:
        SourceError: a number is not finite.
    """
    found, low, high, whole = hashlib.sha256(), np.inf, -np.inf, True
    for start, stop in _pieces(values):
        block = np.ascontiguousarray(values[start:stop])
        found.update(block.data)
        least, most = float(block.min()), float(block.max())
        if not (np.isfinite(least) and np.isfinite(most)):
            row, *rest = (int(place) for place in np.argwhere(~np.isfinite(block))[0])
            where = ", ".join(map(str, (start + row, *rest)))
            message = f"'{name}' holds {block[(row, *rest)]} at [{where}]; numbers must be finite"
            raise SourceError(message, ("source",), "fill in the value, or remove the row from every array")
        low, high = min(low, least), max(high, most)
        whole = whole and (block.dtype.kind in "iub" or bool((block == np.floor(block)).all()))
    return Survey(finished(found, values.dtype.str, values.shape), low, high, whole)


def remembered_survey(values: StoredArray, name: str) -> Survey:
    """The same; of a large array of a file that is unchanged since, what is known from before.

    Raises:
        SourceError: a number is not finite.
    """
    if values.nbytes < REMEMBERED:
        return survey(values, name)
    state = {**values.state(), "dtype": values.dtype.str, "shape": list(values.shape), "version": VERSION}
    known = cache.recall("survey", state)
    if known is not None:
        return Survey(**known)
    found = survey(values, name)
    cache.remember("survey", state, asdict(found))
    return found


def _pieces(values: Array | StoredArray) -> list[tuple[int, int]]:
    step = max(1, PIECE_BYTES // max(1, values.dtype.itemsize * numel(values.shape[1:])))
    return [(start, min(start + step, len(values))) for start in range(0, len(values), step)]
