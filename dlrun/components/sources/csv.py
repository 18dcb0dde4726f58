from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.sources._text_source import TextSource
from dlrun.language.component import checked
from dlrun.language.suggestions import shorten


def _read_delimiter(value: Any) -> str:
    if value == "\\t":  # how a tab is written in a spec without double quotes
        return "\t"
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise ValueError(f"a delimiter is one character, such as ',' or ';' or '\\t'; received {shorten(value)}")
    return value


class Csv(TextSource):
    """A table as text: one line for each row, and the names of the columns in the first line.

    Cells may be in double quotes; spaces at the ends of a cell are ignored. Features are finite numbers. A file whose
    name ends in `.gz` or `.zst` is unpacked while it is read.
    The target depends on the loss: one column of classes; for binary_cross_entropy, one column with two labels or
    several columns of 0 and 1; or any columns of numbers.

    Shape: (columns,), the features in the order of `features`, or of the file
    Reference: Shafranovich, Common format and MIME type for CSV files, RFC 4180, 2005.
    Example: csv: wine.csv
    """

    synonyms = ("file",)

    delimiter: Annotated[
        str,
        PlainValidator(checked(_read_delimiter)),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 2}),
    ] = ","
    """The character between two cells."""

    def separator(self) -> str:
        return self.delimiter
