"""What a column of a parquet file is, and its values as numbers or as texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field
from dlrun.components.sources._arrow import as_array, as_floats

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

NESTED = "write a column for each of the values, such as a_1 and a_2"


def field_of(name: str, kind: pa.DataType) -> Field:
    """The field of a column with values of a type of pyarrow."""
    from pyarrow import types

    if re.fullmatch(r"__index_level_\d+__", name):
        way = "write the file again by `df.to_parquet(path, index=False)`"
        return Field(name, "other", what="pandas' index of the rows", way_out=way)
    if types.is_dictionary(kind):
        return field_of(name, kind.value_type)
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return Field(name, "number", whole=types.is_integer(kind))
    if types.is_null(kind):
        return Field(name, "number")
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return Field(name, "text", what="texts")
    if types.is_date(kind) or types.is_timestamp(kind):
        return Field(name, "time", what="times")
    if types.is_time(kind):
        return Field(name, "text", what="times of day")
    if types.is_duration(kind):
        way = "write numbers, such as seconds: `df[name].dt.total_seconds()`"
        return Field(name, "other", what="time differences", way_out=way)
    if types.is_nested(kind):
        what = "records" if types.is_struct(kind) else "maps" if types.is_map(kind) else "lists"
        return Field(name, "other", what=what, way_out=NESTED)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return Field(name, "other", what="bytes", way_out="write texts, `df[name].str.decode('utf-8')`, or numbers")
    return Field(name, "other", what=f"values of type {kind}", way_out="write numbers or texts")


def to_floats(column: Any) -> Array:
    """A column of numbers as float64, each the nearest one; a null becomes NaN."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_decimal(kind):  # through its digits: pyarrow's own way may be one off in the last place
        column = column.cast(pa.string())
    elif types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif types.is_float16(kind):
        column = column.cast(pa.float32())
    return as_floats(column if types.is_float64(kind) else column.cast(pa.float64(), safe=False))


def to_texts(column: Any) -> tuple[list[str], Array]:
    """The different texts of a column, '' for a null, and for each row the index of its text."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type) and not types.is_string(column.type.value_type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_timestamp(kind) and kind.tz:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    if not types.is_dictionary(kind):
        column = column.dictionary_encode()
    words = ["" if word is None else word for word in _words(column.dictionary)]
    return [*words, ""], as_array(column.indices, np.int32, len(words))


def _words(values: Any) -> list[str | None]:
    import pyarrow as pa
    from pyarrow import types

    kind = values.type
    if types.is_floating(kind):
        return [None if value != value else _number(value) for value in to_floats(values).tolist()]
    words = values.cast(pa.string()).to_pylist()
    if types.is_timestamp(kind) or types.is_time(kind):
        return [word if word is None else _short(word) for word in words]
    return words


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _short(word: str) -> str:
    """A time without zeros at the end of its fraction."""
    text, zone = (word[:-1], "Z") if word.endswith("Z") else (word, "")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + zone
