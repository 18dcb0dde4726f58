"""An open csv file: its columns, and its cells as numbers and classes."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dlrun.components.sources import Request, SourceError, SourceInfo, class_labels
from dlrun.components.sources._cells import EXACT, NUL_HINT, is_missing, is_number
from dlrun.components.sources._encoding import not_utf8
from dlrun.components.sources._header import FEATURES, FILE, TARGET, delimiter_hint, find, listed, read_names
from dlrun.components.sources._labels import Classes, judge, need_labels
from dlrun.components.sources._odd_cells import OddCells
from dlrun.language.suggestions import shorten

if TYPE_CHECKING:
    import numpy as np

PADDED = re.compile(r"\n[ +-]*0\d")
"""A cell that begins with a zero before another digit, where each cell stands on a line of its own."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is written, as the spec says."""

    path: str
    delimiter: str
    missing: Collection[str]


@contextmanager
def open_table(file: Path, form: Format, request: Request) -> Iterator[Table]:
    """The table, after its first line is read.

    Raises:
        SourceError: the file cannot be read, now or in the block; a column does not exist.
    """
    reader: Any = None
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            spaced = form.delimiter != " "
            reader = csv.reader(stream, delimiter=form.delimiter, skipinitialspace=spaced, strict=True)
            yield Table.begin(file, stream, reader, form, request)
    except UnicodeDecodeError:
        raise SourceError(*not_utf8(file, form.delimiter)) from None
    except csv.Error as error:
        raise SourceError(f"{file.name}:{reader.line_num if reader else 1}: {error}", FILE) from None
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read: {error.strerror or error}", FILE) from None


@dataclass(slots=True)
class Table:
    """An open file and the positions of its columns."""

    file: Path
    stream: TextIO
    reader: Any
    form: Format
    columns: list[str]
    features: list[int]
    target: list[int]
    request: Request
    cells: OddCells
    """The cells that are no numbers, or that are not kept as they are written."""
    count: int = 0
    """How many rows were read."""
    known: set[str] = field(default_factory=set)
    """The classes that were read."""

    @classmethod
    def begin(cls, file: Path, stream: TextIO, reader: Any, form: Format, request: Request) -> Table:
        delimiter = form.delimiter
        columns = read_names(file, reader)
        if request.target is None and request.wants != "nothing":
            raise SourceError("csv needs `target`, the column to predict", TARGET, listed(columns))
        target = find(file, columns, request.target or (), TARGET, delimiter)
        if request.features is None:
            taken = {*target, *(columns.index(name) for name in request.other_targets if name in columns)}
            features = [index for index in range(len(columns)) if index not in taken]
        else:
            features = find(file, columns, request.features, FEATURES, delimiter)
        answers = set(target)
        if both := [columns[index] for index in features if index in answers]:
            message = f"the column '{both[0]}' is the target and cannot be a feature too"
            raise SourceError(message, FEATURES, "the network would see the answer among its inputs")
        if not features:
            hint = delimiter_hint(columns, delimiter)
            raise SourceError(f"{file.name} has no column besides the target", FILE, hint)
        if request.wants == "nothing":
            target = []  # named only so that it is not a feature
        if request.wants == "classes" and len(target) > 1:
            message = f"a class is one column; `target` lists {len(target)}"
            raise SourceError(message, TARGET, "use `binary_cross_entropy` for several columns of 0 and 1")
        cells = OddCells(file.name, columns, set(features))
        return cls(file, stream, reader, form, columns, features, target, request, cells)

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
                self._refuse_width(cells, width)
        self.cells.report()

    def _refuse_width(self, cells: list[str], width: int) -> None:
        have = f"{len(cells)} cell{'s' * (len(cells) > 1)}"
        message = f"{self.place}: {have}; the first line names {width} column{'s' * (width > 1)}"
        hint = delimiter_hint(self.columns, self.form.delimiter)
        if any("\0" in cell for cell in cells):
            message, hint = f"{self.place}: the line has NUL bytes", NUL_HINT
        elif not hint and not any(cell.strip() for cell in cells):
            hint = "remove the line, which has only spaces"
        elif not hint and len(cells) > width:
            empty = not any(cell.strip() for cell in cells[width:])
            hint = "remove the delimiter at the end of the line" if empty else ""
            hint = hint or "put a cell that contains the delimiter in double quotes"
        raise SourceError(message, FILE, hint)

    @property
    def line(self) -> int:
        """The number of the last line read."""
        return self.reader.line_num

    @property
    def place(self) -> str:
        """The last line read, ``wine.csv:17``."""
        return f"{self.file.name}:{self.line}"

    def numbers(self, cells: list[str], columns: Sequence[int]) -> list[float]:
        """Some cells of a row as numbers; NaN for a cell that `rows` reports as wrong at its end."""
        try:
            chosen = [cells[index] for index in columns]
            values = [float(cell) for cell in chosen]
            text = "\n" + "\n".join(chosen)  # one check for the whole row; its cells are checked only if it fails
            if sum(map(abs, values)) < EXACT and text.isascii() and "_" not in text and not PADDED.search(text):
                return values
        except ValueError:
            pass
        return [self.number(cells, index) for index in columns]

    def number(self, cells: list[str], index: int) -> float:
        """One cell as a finite number; NaN, and a mark in `cells`, if it is none."""
        cell = cells[index]
        value = float(cell) if is_number(cell) else math.nan
        if math.isfinite(value):
            self.cells.look(index, cell, value, self.line)
            return value
        self.cells.refuse(index, cell, self.line)
        return math.nan

    def label(self, cells: list[str]) -> str:
        """The class of a row."""
        label = cells[self.target[0]].strip()
        if label not in self.known:
            if is_missing(label, self.form.missing):
                message = f"{self.cell(cells, self.target[0])}; a class is expected"
                hint = "fill in the cell or remove the row"
                if label:
                    hint += f"; if it is a class, write `csv: {{path: {self.form.path}, missing: []}}`"
                raise SourceError(message, TARGET, hint)
            if "\0" in label:
                message = f"{self.cell(cells, self.target[0])}; a NUL cannot be in a class"
                raise SourceError(message, TARGET, NUL_HINT)
            if label == self.columns[self.target[0]]:
                self._refuse_header(cells)
            self.known.add(label)
        return label

    def _refuse_header(self, cells: list[str]) -> None:
        """Refuse a first line that is a row, or that stands twice: a class is its own column's name."""
        if [cell.strip() for cell in cells] == self.columns:
            raise SourceError(f"{self.place}: the line is the same as the first one", FILE, "remove it")
        if any(is_number(name) for name in self.columns):
            row = shorten(", ".join(self.columns))
            message = f"{self.file.name}:1: the first line looks like a row, {row}, and must name the columns"
            raise SourceError(message, FILE, "add a first line with the names")

    def answers(self, cells: list[str]) -> list[float]:
        """The target of a row as numbers."""
        values = self.numbers(cells, self.target)
        if self.request.wants == "binary":
            for index, value in zip(self.target, values, strict=True):
                if value not in (0, 1) and not self.cells.is_wrong(index):
                    raise SourceError(f"{self.cell(cells, index)}; several binary columns must be 0 or 1", TARGET)
        return values

    def with_classes(self, info: SourceInfo, classes: Classes) -> SourceInfo:
        """A description with the classes that were read, and notes about them."""
        labels = class_labels(classes.seen)
        what = f"the column '{self.columns[self.target[0]]}'"
        notes = judge(labels, self.count, what, TARGET)
        need_labels(labels, self.request.wants, what, TARGET)
        counts, numbers = classes.in_order(labels)
        return replace(info, labels=labels, counts=counts, classes=numbers, notes=(*info.notes, *notes))

    def read_fast(self, columns: list[int]) -> np.ndarray[Any, Any] | None:
        """Columns of numbers, read by numpy; None where the slow reader must find the error."""
        import numpy as np

        try:
            numbers = np.loadtxt(
                self.stream, np.float64, None, self.form.delimiter, usecols=columns, quotechar='"', ndmin=2
            )
        except ValueError:
            return None
        return numbers if np.isfinite(numbers).all() else None

    def cell(self, cells: list[str], index: int) -> str:
        """A cell with its place, as errors show it."""
        return f"{self.place}: column '{self.columns[index]}' is '{shorten(cells[index])[1:-1]}'"


class Indices:
    """Whether all features are indices, whole numbers from 0 on, and the largest of them."""

    def __init__(self) -> None:
        self.largest = -1.0
        self.wrong = ""
        """The first cell that is no index, with its place; '' where there is none."""

    def add(self, values: list[float], table: Table) -> None:
        """Add a row, the last that the table read."""
        if not self.wrong:
            for value, index in zip(values, table.features, strict=True):
                if not (value >= 0 and value.is_integer()):
                    self.wrong = f"{table.place}: column '{table.columns[index]}' is {value:g}"
                    return
            self.largest = max(self.largest, *values)

    @property
    def vocabulary(self) -> int | None:
        """The largest index plus one; None where a value is no index."""
        return None if self.wrong else int(self.largest) + 1
