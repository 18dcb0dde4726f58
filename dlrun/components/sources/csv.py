from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.sources import Source, Table, resolve
from dlrun.components.sources._cells import MISSING
from dlrun.components.sources._header import FILE
from dlrun.components.sources._table import TextTable
from dlrun.language.component import checked
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import shorten


def _read_delimiter(value: Any) -> str:
    if value == "\\t":  # how a tab is written in a spec without double quotes
        return "\t"
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise ValueError(f"a delimiter is one character, such as ',' or ';' or '\\t'; received {shorten(value)}")
    return value


class Csv(Source):
    """A table as text: one line for each row, and the names of the columns in the first line.

    Cells may be in double quotes; spaces at the ends of a cell are ignored. Features are finite numbers.
    The target depends on the loss: one column of classes; for binary_cross_entropy, one column with two labels or
    several columns of 0 and 1; or any columns of numbers.

    Shape: (columns,), the features in the order of `features`, or of the file
    Reference: Shafranovich, Common format and MIME type for CSV files, RFC 4180, 2005.
    Example: csv: wine.csv
    """

    synonyms = ("file",)

    path: FilePath
    """The file, UTF-8; a relative path starts from the folder of the file that has it."""
    delimiter: Annotated[
        str,
        PlainValidator(checked(_read_delimiter)),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 2}),
    ] = ","
    """The character between two cells."""
    missing: tuple[str, ...] = MISSING
    """Texts that say that a value is missing, in any case; they cannot be classes. An empty cell says it always."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        no_missing = f"csv: {{path: {self.path}, missing: []}}"
        return TextTable(resolve(self.path, folder, FILE), self.delimiter, self.missing, no_missing, whole)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path
