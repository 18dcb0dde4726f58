from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.sources import Request, Rows, Source, SourceError, SourceInfo, class_labels, resolve
from dlrun.components.sources._labels import need_labels
from dlrun.language.component import checked
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import did_you_mean, shorten

if TYPE_CHECKING:
    import numpy as np

FILE = ("source", "csv", "path")
FEATURES, TARGET = ("features",), ("target",)


def _read_delimiter(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise ValueError(f"a delimiter is one character, such as ',' or ';' or '\\t'; received {shorten(value)}")
    return value


class Csv(Source):
    """A table as text: one line for each row, and the names of the columns in the first line.

    Cells may be in double quotes; spaces around other cells are ignored. Features are finite numbers.
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
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1}),
    ] = ","
    """The character between two cells."""

    def describe(self, request: Request) -> SourceInfo:
        seen: set[str] = set()
        with self._open(request) as table:
            for cells in table.rows():
                table.numbers(cells, table.features, FEATURES)
                if table.labelled:
                    seen.add(table.label(cells))
                else:
                    table.outputs(cells)
        if not table.count:
            raise SourceError(f"{table.file.name} has no rows after its first line", FILE)
        labels = table.labels(seen) if table.labelled else None
        shape = () if len(table.target) == 1 else (len(table.target),)
        return SourceInfo(table.count, (len(table.features),), shape, labels)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path

    def load(self, request: Request) -> Rows:
        import numpy as np

        with self._open(request) as table:
            width = len(table.features)
            numbers = table.read_fast([*table.features, *(() if table.labelled else table.target)])
        if numbers is not None and not table.labelled:
            return Rows(numbers[:, :width], numbers[:, width:])
        with self._open(request) as table:
            if numbers is not None:
                labels = [table.label(cells) for cells in table.rows()]
                return Rows(numbers, np.array(labels))
            read = [(table.numbers(cells, table.features, FEATURES), table.outputs(cells)) for cells in table.rows()]
        return Rows(np.array([row for row, _ in read]), np.array([target for _, target in read]))

    @contextmanager
    def _open(self, request: Request) -> Iterator[_Table]:
        """The table, after its first line is read.

        Raises:
            SourceError: the file cannot be read, now or in the block; a column does not exist.
        """
        file = resolve(self.path, request.folder, FILE)
        line = 1
        reader: Any = None
        try:
            with file.open(newline="", encoding="utf-8-sig") as stream:
                spaced = self.delimiter != " "
                reader = csv.reader(stream, delimiter=self.delimiter, skipinitialspace=spaced, strict=True)
                yield _Table.begin(file, stream, reader, self.delimiter, request)
        except UnicodeDecodeError:
            raise SourceError(f"{file.name} is not UTF-8 text", FILE, "save it as UTF-8") from None
        except csv.Error as error:
            line = reader.line_num if reader else line
            raise SourceError(f"{file.name}:{line}: {error}", FILE) from None
        except OSError as error:
            raise SourceError(f"{file.name} cannot be read: {error.strerror or error}", FILE) from None


@dataclass(slots=True)
class _Table:
    """An open file and the positions of its columns."""

    file: Path
    stream: TextIO
    reader: Any
    delimiter: str
    columns: list[str]
    features: list[int]
    target: list[int]
    request: Request
    count: int = 0
    """How many rows were read."""

    @classmethod
    def begin(cls, file: Path, stream: TextIO, reader: Any, delimiter: str, request: Request) -> _Table:
        columns = _header(file, reader)
        if request.target is None and request.wants != "nothing":
            raise SourceError("csv needs `target`, the column to predict", TARGET, _listed(columns))
        target = _find(file, columns, request.target or (), TARGET)
        if request.features is None:
            taken = {*target, *(columns.index(name) for name in request.other_targets if name in columns)}
            features = [index for index in range(len(columns)) if index not in taken]
        else:
            features = _find(file, columns, request.features, FEATURES)
        answers = set(target)
        if both := [columns[index] for index in features if index in answers]:
            message = f"the column '{both[0]}' is the target and cannot be a feature too"
            raise SourceError(message, FEATURES, "the network would see the answer among its inputs")
        if not features:
            raise SourceError(f"{file.name} has no column besides the target", FILE)
        if request.wants == "nothing":
            target = []  # named only so that it is not a feature
        if request.wants == "classes" and len(target) > 1:
            message = f"a class is one column; `target` lists {len(target)}"
            raise SourceError(message, TARGET, "use `binary_cross_entropy` for several columns of 0 and 1")
        return cls(file, stream, reader, delimiter, columns, features, target, request)

    @property
    def labelled(self) -> bool:
        """Whether the target is read as labels, not as numbers."""
        wants = self.request.wants
        return wants == "classes" or (wants == "binary" and len(self.target) == 1)

    def rows(self) -> Iterator[list[str]]:
        """The cells of each line that is not empty."""
        width = len(self.columns)
        for cells in self.reader:
            if len(cells) == width:
                self.count += 1
                yield cells
            elif cells:
                message = f"{self.place}: {len(cells)} cells; the first line names {width} columns"
                hint = "put a cell that contains the delimiter in double quotes" if len(cells) > width else ""
                raise SourceError(message, FILE, hint)

    @property
    def place(self) -> str:
        """The last line read, ``wine.csv:17``."""
        return f"{self.file.name}:{self.reader.line_num}"

    def numbers(self, cells: list[str], columns: Sequence[int], at: tuple[str, ...]) -> list[float]:
        """Some cells of a row as numbers."""
        try:
            values = [float(cells[index]) for index in columns]
            if math.isfinite(sum(values)):  # one check for the whole row; cells are checked one by one only if it fails
                return values
        except ValueError:
            pass
        return [self.number(cells, index, at) for index in columns]

    def number(self, cells: list[str], index: int, at: tuple[str, ...]) -> float:
        """One cell as a finite number."""
        try:
            value = float(cells[index])
            what = "not a finite number"
        except ValueError:
            value, what = math.nan, "not a number"
        if math.isfinite(value):
            return value
        if at == TARGET:
            hint = "use `loss: cross_entropy` for texts that are classes"
        elif not cells[index].strip():
            hint = "fill in the cell or remove the row"
        else:
            hint = "list the columns of numbers in `features`" if self.request.features is None else ""
        raise SourceError(f"{self._cell(cells, index)}, {what}", at, hint)

    def label(self, cells: list[str]) -> str:
        """The class of a row."""
        label = cells[self.target[0]].strip()
        if not label:
            message = f"{self._cell(cells, self.target[0])}; a class is expected"
            raise SourceError(message, TARGET, "fill in the cell or remove the row")
        return label

    def outputs(self, cells: list[str]) -> list[float] | str:
        """The target of a row as it is loaded."""
        if self.labelled:
            return self.label(cells)
        values = self.numbers(cells, self.target, TARGET)
        if self.request.wants == "binary":
            for index, value in zip(self.target, values, strict=True):
                if value not in (0, 1):
                    raise SourceError(f"{self._cell(cells, index)}; several binary columns must be 0 or 1", TARGET)
        return values

    def labels(self, seen: set[str]) -> tuple[str, ...]:
        """The classes in order."""
        labels = class_labels(seen)
        what = f"the column '{self.columns[self.target[0]]}'"
        for one, other in pairwise(labels):
            if _same_number(one, other):
                raise SourceError(f"{what} has the same number in two forms, '{one}' and '{other}'", TARGET)
        return need_labels(labels, self.request.wants, what, TARGET)

    def read_fast(self, columns: list[int]) -> np.ndarray[Any, Any] | None:
        """Columns of numbers, read by numpy; None where the slow reader must find the error."""
        import numpy as np

        try:
            numbers = np.loadtxt(self.stream, np.float64, None, self.delimiter, usecols=columns, quotechar='"', ndmin=2)
        except ValueError:
            return None
        return numbers if np.isfinite(numbers).all() else None

    def _cell(self, cells: list[str], index: int) -> str:
        return f"{self.place}: column '{self.columns[index]}' is '{shorten(cells[index])[1:-1]}'"


def _header(file: Path, reader: Any) -> list[str]:
    columns = [name.strip() for name in next(reader, [])]
    if not any(columns):
        raise SourceError(f"{file.name} has no column names in its first line", FILE)
    for number, name in enumerate(columns, 1):
        if not name:
            hint = "name it, or remove it from the file if it only counts the rows"
            raise SourceError(f"{file.name}:1: column {number} has no name", FILE, hint)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise SourceError(f"{file.name}:1: two columns are called '{twice[0]}'", FILE)
    return columns


def _find(file: Path, columns: list[str], names: tuple[str, ...], at: tuple[str, ...]) -> list[int]:
    places = {name: index for index, name in reversed(list(enumerate(columns)))}
    seen: set[str] = set()
    for name in names:
        if name not in places:
            meant = did_you_mean(name, columns, {})
            raise SourceError(f"{file.name} has no column '{name}'{meant}", at, _listed(columns))
        if name in seen:
            raise SourceError(f"the column '{name}' is listed twice", at)
        seen.add(name)
    return [places[name] for name in names]


def _listed(columns: list[str]) -> str:
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return "columns, from the first line: " + ", ".join(columns[:20]) + more


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False
