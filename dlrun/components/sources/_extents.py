"""The extents of numbers: what is known of them without looking at each again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Extent = tuple[float, float, bool]
"""The least and the greatest of some numbers, and whether all are whole."""


def wider(before: Extent | None, block: Array) -> Extent:
    """The extent of numbers and of a block of more; its ends are NaN where a number is."""
    import numpy as np

    ends, whole = (block.min(), block.max()), bool((block == np.floor(block)).all())
    if before is not None:
        ends = np.minimum(before[0], ends[0]), np.maximum(before[1], ends[1])
    return float(ends[0]), float(ends[1]), whole and (before is None or before[2])


def known_extent(extent: Extent | None) -> Extent | None:
    """An extent of numbers that are all finite; None for others, or where there are no numbers."""
    return extent if extent is not None and math.isfinite(extent[0]) and math.isfinite(extent[1]) else None


def index_count(extent: Extent) -> int | None:
    """The largest index plus one, where all numbers of an extent are whole ones from 0 on."""
    low, high, whole = extent
    return int(high) + 1 if whole and low >= 0 else None


def vocabulary(values: Array) -> int | None:
    """The largest index plus one, where all values are whole numbers from 0 on."""
    import numpy as np

    if not all(column.min() >= 0 and (column == np.floor(column)).all() for column in values.T):
        return None
    return int(values.max()) + 1
