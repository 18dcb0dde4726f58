"""Columns of predictions as pyarrow has them; pyarrow's own ways from numpy import pandas, which takes long."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow

from dlrun.trained.answers import Array
from dlrun.trained.columns import Columns


def record_batch(columns: Columns, schema: pyarrow.Schema | None) -> pyarrow.RecordBatch:
    """Some lines; `schema` is that of the lines before, None for the first ones."""
    arrays = [_array(values, None if schema is None else schema.field(name).type) for name, values in columns.items()]
    return pyarrow.RecordBatch.from_arrays(arrays, names=list(columns))


def _array(values: Array, known: Any) -> Any:
    """A column: numbers, or an object array of texts or whole numbers in which None is no value."""
    if values.dtype != object:
        numbers = np.ascontiguousarray(values)
        return _from_buffers(pyarrow.from_numpy_dtype(values.dtype), None, numbers)
    items = values.tolist()
    there = np.array([item is not None for item in items], bool)
    holes = None if there.all() else pyarrow.py_buffer(np.packbits(there, bitorder="little").tobytes())
    if known is None:  # a column without a value is one of texts
        known = pyarrow.int64() if any(isinstance(item, int) for item in items) else pyarrow.string()
    if known != pyarrow.string():
        return _from_buffers(known, holes, np.array([item or 0 for item in items], np.int64))
    codes: dict[Any, int] = {}
    numbers = np.array([codes.setdefault(item, len(codes)) for item in items], np.int32)
    coded = _from_buffers(pyarrow.int32(), holes, numbers)
    return pyarrow.DictionaryArray.from_arrays(coded, _texts([item or "" for item in codes])).dictionary_decode()


def _texts(words: list[str]) -> Any:
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(encoded))]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(words), buffers)


def _from_buffers(kind: Any, holes: Any, numbers: Array) -> Any:
    return pyarrow.Array.from_buffers(kind, len(numbers), [holes, pyarrow.py_buffer(numbers)])
