from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.sources import Request, Rows, Source, SourceError, SourceInfo, SourceNote, class_labels, resolve
from dlrun.components.sources._cells import (
    MISSING,
    holds_data,
    is_missing,
    is_number,
    other_separator,
    sort_of,
    way_out,
)
from dlrun.components.sources._labels import Classes, judge_numbers, need_labels
from dlrun.language.component import checked
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import did_you_mean, shorten

if TYPE_CHECKING:
    import numpy as np

FILE = ("source", "csv", "path")
FEATURES, TARGET = ("features",), ("target",)
EXAMPLES = 2
"""How many cells of a column an error shows."""
NAMED_COLUMNS = 10
"""How many columns an error names."""


def _read_delimiter(value: Any) -> str:
    if value == "\\t":  # how a tab is written in a spec without double quotes
        return "\t"
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
    knows_indices = True

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
        classes, indices = Classes(), _Indices()
        with self._open(request) as table:
            for cells in table.rows():
                indices.add(table.numbers(cells, table.features, FEATURES))
                if table.labelled:
                    classes.add(table.label(cells))
                else:
                    table.outputs(cells)
        if not table.count:
            raise SourceError(f"{table.file.name} has no rows after its first line", FILE)
        shape = () if len(table.target) == 1 else (len(table.target),)
        width, vocabulary = (len(table.features),), indices.vocabulary
        if not table.labelled:
            return SourceInfo(table.count, width, shape, None, vocabulary)
        labels, notes = table.labels(classes.seen)
        counts, numbers = classes.in_order(labels)
        return SourceInfo(table.count, width, shape, labels, vocabulary, counts, numbers, notes)

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
                return Rows(numbers, np.array(labels, object))  # texts of any length
            read = [(table.numbers(cells, table.features, FEATURES), table.outputs(cells)) for cells in table.rows()]
        return Rows(
            np.array([row for row, _ in read]),
            np.array([target for _, target in read], object if table.labelled else None),
        )

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
                yield _Table.begin(file, stream, reader, self, request)
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
    source: Csv
    columns: list[str]
    features: list[int]
    target: list[int]
    request: Request
    count: int = 0
    """How many rows were read."""
    wrong: dict[int, dict[str, int]] = field(default_factory=dict)
    """For each column with cells that are not numbers the first two different ones, with their lines."""
    known: set[str] = field(default_factory=set)
    """The classes that were read."""

    @classmethod
    def begin(cls, file: Path, stream: TextIO, reader: Any, source: Csv, request: Request) -> _Table:
        delimiter = source.delimiter
        columns = _header(file, reader)
        if request.target is None and request.wants != "nothing":
            raise SourceError("csv needs `target`, the column to predict", TARGET, _listed(columns))
        target = _find(file, columns, request.target or (), TARGET, delimiter)
        if request.features is None:
            taken = {*target, *(columns.index(name) for name in request.other_targets if name in columns)}
            features = [index for index in range(len(columns)) if index not in taken]
        else:
            features = _find(file, columns, request.features, FEATURES, delimiter)
        answers = set(target)
        if both := [columns[index] for index in features if index in answers]:
            message = f"the column '{both[0]}' is the target and cannot be a feature too"
            raise SourceError(message, FEATURES, "the network would see the answer among its inputs")
        if not features:
            hint = _delimiter_hint(columns, delimiter)
            raise SourceError(f"{file.name} has no column besides the target", FILE, hint)
        if request.wants == "nothing":
            target = []  # named only so that it is not a feature
        if request.wants == "classes" and len(target) > 1:
            message = f"a class is one column; `target` lists {len(target)}"
            raise SourceError(message, TARGET, "use `binary_cross_entropy` for several columns of 0 and 1")
        return cls(file, stream, reader, source, columns, features, target, request)

    @property
    def labelled(self) -> bool:
        """Whether the target is read as labels, not as numbers."""
        wants = self.request.wants
        return wants == "classes" or (wants == "binary" and len(self.target) == 1)

    def rows(self) -> Iterator[list[str]]:
        """The cells of each line that is not empty.

        Raises:
            SourceError: at the end, with every column in which a cell is not a number.
        """
        width = len(self.columns)
        for cells in self.reader:
            if len(cells) == width:
                self.count += 1
                yield cells
            elif cells:
                message = f"{self.place}: {len(cells)} cells; the first line names {width} columns"
                hint = "put a cell that contains the delimiter in double quotes" if len(cells) > width else ""
                hint = _delimiter_hint(self.columns, self.source.delimiter) or hint
                raise SourceError(message, FILE, hint)
        self._report_wrong()

    @property
    def place(self) -> str:
        """The last line read, ``wine.csv:17``."""
        return f"{self.file.name}:{self.reader.line_num}"

    def numbers(self, cells: list[str], columns: Sequence[int], at: tuple[str, ...]) -> list[float]:
        """Some cells of a row as numbers; NaN for a cell that `rows` reports as wrong at its end."""
        try:
            chosen = [cells[index] for index in columns]
            values = [float(cell) for cell in chosen]
            text = "".join(chosen)  # one check for the whole row; cells are checked one by one only if it fails
            if math.isfinite(sum(values)) and text.isascii() and "_" not in text:
                return values
        except ValueError:
            pass
        return [self.number(cells, index) for index in columns]

    def number(self, cells: list[str], index: int) -> float:
        """One cell as a finite number; NaN, and a mark in `wrong`, if it is none."""
        cell = cells[index]
        value = float(cell) if is_number(cell) else math.nan
        if math.isfinite(value):
            return value
        found = self.wrong.setdefault(index, {})
        if len(found) < EXAMPLES:
            found.setdefault(cell, self.reader.line_num)
        return math.nan

    def _report_wrong(self) -> None:
        """Raise one error about all columns in which a cell is not a number."""
        if not self.wrong:
            return
        features = {index: found for index, found in self.wrong.items() if index in self.features}
        at, wrong = (FEATURES, features) if features else (TARGET, self.wrong)
        texts, sorts = [], dict[str, dict[str, None]]()
        for index, found in sorted(wrong.items())[:NAMED_COLUMNS]:
            (cell, line), *others = found.items()
            what = "not a finite number" if _is_special(cell) else "not a number"
            text = f"{self.file.name}:{line}: column '{self.columns[index]}' is '{_short(cell)}', {what}"
            texts.append(text + "".join(f"; line {line} has '{_short(cell)}'" for cell, line in others))
            for cell in found:
                sorts.setdefault(sort_of(cell), {})[_short(cell)] = None
        if len(wrong) > NAMED_COLUMNS:
            texts.append(f"and {len(wrong) - NAMED_COLUMNS} more columns")
        hints = [self._hint(sort, list(cells)[:EXAMPLES], at) for sort, cells in sorts.items()]
        raise SourceError("\n  ".join(texts), at, "; ".join(dict.fromkeys(hints)))

    def _hint(self, sort: str, cells: list[str], at: tuple[str, ...]) -> str:
        if sort == "text" and at == TARGET:
            return "use `loss: cross_entropy` for texts that are classes"
        return way_out(cells)

    def label(self, cells: list[str]) -> str:
        """The class of a row."""
        label = cells[self.target[0]].strip()
        if label not in self.known:
            if is_missing(label, self.source.missing):
                message = f"{self._cell(cells, self.target[0])}; a class is expected"
                hint = "fill in the cell or remove the row"
                if label:
                    hint += f"; if it is a class, write `csv: {{path: {self.source.path}, missing: []}}`"
                raise SourceError(message, TARGET, hint)
            if "\0" in label:
                raise SourceError(f"{self._cell(cells, self.target[0])}; a NUL cannot be in a class", TARGET)
            self.known.add(label)
        return label

    def outputs(self, cells: list[str]) -> list[float] | str:
        """The target of a row as it is loaded."""
        if self.labelled:
            return self.label(cells)
        values = self.numbers(cells, self.target, TARGET)
        if self.request.wants == "binary":
            for index, value in zip(self.target, values, strict=True):
                if value not in (0, 1) and index not in self.wrong:
                    raise SourceError(f"{self._cell(cells, index)}; several binary columns must be 0 or 1", TARGET)
        return values

    def labels(self, seen: Collection[str]) -> tuple[tuple[str, ...], tuple[SourceNote, ...]]:
        """The classes in order, and notes about them."""
        labels = class_labels(seen)
        what = f"the column '{self.columns[self.target[0]]}'"
        for one, other in pairwise(labels):
            if _same_number(one, other):
                raise SourceError(f"{what} has the same number in two forms, '{one}' and '{other}'", TARGET)
        notes = judge_numbers(labels, self.count, what, TARGET)
        return need_labels(labels, self.request.wants, what, TARGET), notes

    def read_fast(self, columns: list[int]) -> np.ndarray[Any, Any] | None:
        """Columns of numbers, read by numpy; None where the slow reader must find the error."""
        import numpy as np

        try:
            numbers = np.loadtxt(
                self.stream, np.float64, None, self.source.delimiter, usecols=columns, quotechar='"', ndmin=2
            )
        except ValueError:
            return None
        return numbers if np.isfinite(numbers).all() else None

    def _cell(self, cells: list[str], index: int) -> str:
        return f"{self.place}: column '{self.columns[index]}' is '{shorten(cells[index])[1:-1]}'"


def _header(file: Path, reader: Any) -> list[str]:
    columns = [name.strip() for name in next(reader, [])]
    if not any(columns):
        raise SourceError(f"{file.name} has no column names in its first line", FILE)
    if holds_data(columns):
        message = f"{file.name}:1: the first line looks like a row, {shorten(', '.join(columns))}"
        raise SourceError(f"{message}, and must name the columns", FILE, "add a first line with the names")
    for number, name in enumerate(columns, 1):
        if not name:
            hint = "name it, or remove it from the file if it only counts the rows"
            raise SourceError(f"{file.name}:1: column {number} has no name", FILE, hint)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise SourceError(f"{file.name}:1: two columns are called '{twice[0]}'", FILE)
    return columns


def _find(file: Path, columns: list[str], names: tuple[str, ...], at: tuple[str, ...], delimiter: str) -> list[int]:
    places = {name: index for index, name in reversed(list(enumerate(columns)))}
    seen: set[str] = set()
    for name in names:
        if name not in places:
            meant = did_you_mean(name, columns, {})
            hint = _delimiter_hint(columns, delimiter) or _listed(columns)
            raise SourceError(f"{file.name} has no column '{name}'{meant}", at, hint)
        if name in seen:
            raise SourceError(f"the column '{name}' is listed twice", at)
        seen.add(name)
    return [places[name] for name in names]


def _delimiter_hint(columns: list[str], delimiter: str) -> str:
    written = other_separator(columns, delimiter)
    line = shorten(delimiter.join(columns))
    return f"the first line is {line}: write `csv: {{path: …, delimiter: {written}}}`" if written else ""


def _short(cell: str) -> str:
    return shorten(cell)[1:-1]


def _is_special(cell: str) -> bool:
    """Whether a cell is infinite, too large or not a number by name."""
    try:
        return not math.isfinite(float(cell))
    except ValueError:
        return False


class _Indices:
    """Whether all features are indices, whole numbers from 0 on, and the largest of them."""

    def __init__(self) -> None:
        self.largest: float | None = -1.0

    def add(self, values: list[float]) -> None:
        """Add a row."""
        if self.largest is not None:
            whole = all(value >= 0 and value.is_integer() for value in values)
            self.largest = max(self.largest, *values) if whole else None

    @property
    def vocabulary(self) -> int | None:
        """The largest index plus one; None where a value is no index."""
        return None if self.largest is None else int(self.largest) + 1


def _listed(columns: list[str]) -> str:
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return "columns, from the first line: " + ", ".join(columns[:20]) + more


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False
