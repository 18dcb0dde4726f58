from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.sources import Request, Rows, Source, SourceError, SourceInfo, few, resolve
from dlrun.components.sources._cells import MISSING
from dlrun.components.sources._header import FILE
from dlrun.components.sources._labels import Classes
from dlrun.components.sources._table import Format, Indices, open_table
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

    def describe(self, request: Request) -> SourceInfo:
        classes, indices, values = Classes(), Indices(), array("d")
        file, form = self._file(request)
        with open_table(file, form, request) as table:
            for cells in table.rows():
                indices.add(table.numbers(cells, table.features), table)
                if table.labelled:
                    classes.add(table.label(cells))
                else:
                    values.extend(table.answers(cells))
        if not table.count:
            raise SourceError(f"{file.name} has no rows after its first line", FILE)
        info = SourceInfo(
            rows=table.count,
            shape=(len(table.features),),
            target_shape=() if len(table.target) == 1 else (len(table.target),),
            labels=None,
            vocabulary=indices.vocabulary,
            no_index=indices.wrong,
            notes=table.cells.notes(),
        )
        return table.with_classes(info, classes) if table.labelled else replace(info, values=few(values))

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path

    def load(self, request: Request) -> Rows:
        import numpy as np

        file, form = self._file(request)
        with open_table(file, form, request) as table:
            width = len(table.features)
            numbers = table.read_fast([*table.features, *(() if table.labelled else table.target)])
        if numbers is not None and not table.labelled:
            return Rows(numbers[:, :width], numbers[:, width:])
        with open_table(file, form, request) as table:
            if numbers is not None:
                labels = [table.label(cells) for cells in table.rows()]
                return Rows(numbers, np.array(labels, object))  # texts of any length
            answer = table.label if table.labelled else table.answers
            read = [(table.numbers(cells, table.features), answer(cells)) for cells in table.rows()]
        return Rows(
            np.array([row for row, _ in read]),
            np.array([target for _, target in read], object if table.labelled else None),
        )

    def _file(self, request: Request) -> tuple[Path, Format]:
        return resolve(self.path, request.folder, FILE), Format(self.path, self.delimiter, self.missing)
