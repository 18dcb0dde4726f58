"""Columns of pyarrow as arrays of numpy; pyarrow's own ways there import pandas, which takes long."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def as_array(column: Any, dtype: Any, null: float | None = None) -> Array:
    """A column of numbers that are stored as `dtype`, with `null` for each null; without nulls it is no copy."""
    import numpy as np

    validity, numbers = column.buffers()
    found = np.frombuffer(numbers, dtype, len(column), column.offset * np.dtype(dtype).itemsize)
    if not column.null_count:
        return found
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    return np.where(bits[column.offset : column.offset + len(column)], found, np.array(null, dtype))


def as_floats(column: Any) -> Array:
    """A column of float64; a null becomes NaN."""
    import numpy as np

    return as_array(column, np.float64, math.nan)
