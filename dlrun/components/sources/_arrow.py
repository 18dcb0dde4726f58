"""Columns of pyarrow as arrays of numpy; pyarrow's own way there imports pandas, which takes long."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def as_array(column: Any, dtype: Any) -> Array:
    """A column of numbers without a null, which are stored as `dtype`; no copy."""
    import numpy as np

    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * np.dtype(dtype).itemsize)


def as_floats(column: Any) -> Array:
    """A column of float64; a null becomes NaN."""
    import numpy as np

    return as_array(column.fill_null(math.nan) if column.null_count else column, np.float64)
