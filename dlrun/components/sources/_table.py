"""A csv file as a table: read strictly, with the place of each mistake, and fast where it has none."""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dlrun.components.sources import Field, SourceError, SourceNote, Table, Texts, vocabulary
from dlrun.components.sources._cells import EXACT, NUL_HINT, is_missing, is_number
from dlrun.components.sources._encoding import not_utf8
from dlrun.components.sources._header import FILE, delimiter_hint, listed, read_names
from dlrun.components.sources._odd_cells import OddCells
from dlrun.errors import SpecPath
from dlrun.language.suggestions import shorten

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SMALL = 1 << 20
"""Bytes of a file that Python's own reader takes as little time for as the import of a faster one."""
WHOLE = 1 << 23
"""Bytes of a file that is read to its end even where only a look is wanted; of a larger one, the first `SMALL`."""
TYPED_ROWS = 1000
"""How many rows decide what sort of values a column has; of a large file, they alone are looked at for notes."""
PADDED = re.compile(r"\n[ +-]*0\d")
"""A cell that begins with a zero before another digit, where each cell stands on a line of its own."""


class TextTable(Table):
    """A table as text: the first line names the columns.

    Cells may be in double quotes, and spaces around cells do not count. A large file is read by pyarrow; whatever it
    does not take is read again line by line, strictly, so that there is one meaning and every mistake has its place.
    """

    value = "cell"
    as_written = True
    at = FILE

    def __init__(self, file: Path, delimiter: str, missing: tuple[str, ...], no_missing: str, whole: bool):
        """Read the first lines of `file`; `whole` says whether all of it is wanted."""
        self.file, self.name, self.delimiter = file, file.name, delimiter
        self.missing, self.no_missing = missing, no_missing
        self.rows = self.read_rows = 0
        self._numbers, self._texts = _Numbers((), array("d")), dict[str, Texts]()
        self._notes: tuple[SourceNote, ...] = ()
        with self._lines() as lines:
            self.size = file.stat().st_size
            self.complete = whole or self.size <= WHOLE
            self.columns = lines.columns
            texts = lines.texts(TYPED_ROWS, missing)
        self.fields = {name: Field(name, "text" if name in texts else "number") for name in self.columns}
        self.places = {name: index for index, name in enumerate(self.columns)}

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        fast = self.size > SMALL and self.complete
        if fast:
            self._read_strictly(numbers, texts, lacking, TYPED_ROWS)  # for the notes
            fast = self._read_fast(list(numbers), list(texts), lacking)
        if not fast:
            self._read_strictly(numbers, texts, lacking)
        if not self.rows:
            raise SourceError(f"{self.name} has no rows after its first line", self.at)

    def numbers(self, names: Sequence[str]) -> Array:
        return self._numbers.columns(names)

    def texts(self, name: str) -> Texts:
        return self._texts[name]

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return vocabulary(self._numbers.columns(names))

    def no_index(self, names: Sequence[str]) -> str:
        import numpy as np

        values = self._numbers.columns(names)
        wrong = (values < 0) | (values != np.floor(values))
        if not wrong.any():
            return ""
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        return self.cell(names[int(column)], int(row))

    def forget(self) -> None:
        self._numbers, self._texts = _Numbers((), array("d")), {}

    def notes(self) -> tuple[SourceNote, ...]:
        return self._notes

    def cell(self, name: str, row: int) -> str:
        with self._lines() as lines:
            cells = next(islice(lines.rows(), row, None))
            return f"{lines.place}: column '{name}' is '{shorten(cells[self.places[name]])[1:-1]}'"

    def listed(self) -> str:
        return listed(self.columns)

    def reading_hint(self) -> str:
        return delimiter_hint(self.columns, self.delimiter)

    def _read_strictly(
        self,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str],
        most: int | None = None,
    ) -> None:
        """Line by line, at most so many rows; of a file that is only looked at, the first part."""
        wanted = [self.places[name] for name in numbers]
        labels = [(self.places[name], _Collected()) for name in texts]
        odd = OddCells(self.name, self.columns, {self.places[name]: at for name, at in numbers.items()}, self.missing)
        values, may_lack = array("d"), {self.places[name] for name in lacking}
        with self._lines(None if self.complete else SMALL) as lines:
            for cells in islice(lines.rows(), most):
                values.extend(_as_numbers(cells, wanted, odd, may_lack, self.missing, lines))
                for index, collected in labels:
                    collected.add(cells[index])
            self.rows = self.read_rows = lines.count
            if not self.complete:
                self.rows = max(lines.count, round(self.size / SMALL * lines.count))
        if most is None:  # otherwise more columns may be wrong further down, and all are told at once
            odd.report(lines.count)
        self._numbers, self._notes = _Numbers(tuple(numbers), values), odd.notes()
        self._texts = {name: one.result() for name, (_, one) in zip(texts, labels, strict=True)}
        self._refuse_own_names(texts)

    def _refuse_own_names(self, texts: Mapping[str, SpecPath]) -> None:
        """Refuse a first line that is a row: a class is its own column's name, and others are numbers."""
        for name, at in texts.items():
            same = at[0] == "target" and name in self._texts[name].distinct
            if same and any(is_number(column) for column in self.columns):
                row = shorten(", ".join(self.columns))
                message = f"{self.name}:1: the first line looks like a row, {row}, and must name the columns"
                raise SourceError(message, self.at, "add a first line with the names")

    def _read_fast(self, numbers: list[str], texts: list[str], lacking: Collection[str]) -> bool:
        """By pyarrow, in parts; False where it finds a cell that needs the strict reader, or sees other columns."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv as arrow

        parse = arrow.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)
        read = arrow.ReadOptions(block_size=SMALL)
        full = [index for index, name in enumerate(numbers) if name not in lacking]
        try:
            raw = arrow.open_csv(self.file, read, parse).schema.names
            if [name.strip() for name in raw] != self.columns:
                return False
            chosen = [raw[self.places[name]] for name in (*numbers, *texts)]
            as_text = pa.dictionary(pa.int32(), pa.string())
            types = {name: pa.float64() if index < len(numbers) else as_text for index, name in enumerate(chosen)}
            marks = self._marks() if lacking else []
            convert = arrow.ConvertOptions(include_columns=chosen, column_types=types, null_values=marks)
            table = np.empty((max(1, self.size // (2 * len(raw))), len(numbers)) if numbers else (0, 0))
            collected, rows = [_Collected() for _ in texts], 0
            for part in arrow.open_csv(self.file, read, parse, convert):
                end = rows + part.num_rows
                if numbers and end > len(table):
                    table.resize((end + end // 4, len(numbers)), refcheck=False)
                for index in range(len(numbers)):
                    table[rows:end, index] = part.column(index).to_numpy(zero_copy_only=False)
                with np.errstate(invalid="ignore"):
                    if np.isnan(table[rows:end, full]).any() or (np.abs(table[rows:end]) >= EXACT).any():
                        return False
                for index, one in enumerate(collected, len(numbers)):
                    if not one.add_coded(part.column(index), self.columns[self.places[texts[index - len(numbers)]]]):
                        return False
                rows = end
        except (pa.ArrowException, UnicodeDecodeError):
            return False
        if numbers:
            table.resize((rows, len(numbers)), refcheck=False)
        self.rows = self.read_rows = rows
        self._numbers = _Numbers(tuple(numbers), table)
        self._texts = {name: one.result() for name, one in zip(texts, collected, strict=True)}
        return True

    def _marks(self) -> list[str]:
        """The marks of a missing value in the cases that files have; the strict reader takes any case."""
        cases = (str, str.lower, str.upper, str.title)
        return ["", *dict.fromkeys(case(mark) for mark in self.missing for case in cases)]

    @contextmanager
    def _lines(self, limit: int | None = None) -> Iterator[_Lines]:
        """The lines of the file, or of its first `limit` bytes, after the first one.

        Raises:
            SourceError: the file cannot be read, now or in the block.
        """
        lines: _Lines | None = None
        try:
            with self.file.open("rb") as stream:
                part: BinaryIO = stream if limit is None else io.BytesIO(_whole_lines(stream.read(limit)))
                with io.TextIOWrapper(part, encoding="utf-8-sig", newline="") as text:
                    lines = _Lines(self.file, text, self.delimiter)
                    lines.columns = read_names(self.file, lines.reader)
                    yield lines
        except UnicodeDecodeError:
            raise SourceError(*not_utf8(self.file, self.delimiter)) from None
        except csv.Error as error:
            if limit is None or lines is None or not lines.count:  # otherwise a row is cut at the limit
                line = lines.reader.line_num if lines else 1
                raise SourceError(f"{self.name}:{line}: {error}", self.at) from None
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror or error}", self.at) from None


class _Lines:
    """The cells of an open file, line by line."""

    def __init__(self, file: Path, stream: io.TextIOWrapper, delimiter: str):
        self.file, self.delimiter, self.count = file, delimiter, 0
        self.reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True)
        self.columns: list[str] = []

    @property
    def line(self) -> int:
        """The number of the last line read."""
        return self.reader.line_num

    @property
    def place(self) -> str:
        """The last line read, ``wine.csv:17``."""
        return f"{self.file.name}:{self.line}"

    def rows(self) -> Iterator[list[str]]:
        """The cells of each line that is not empty."""
        width, first = len(self.columns), self.columns[0]
        for cells in self.reader:
            if len(cells) == width:
                if cells[0].strip() == first and [cell.strip() for cell in cells] == self.columns:
                    raise SourceError(f"{self.place}: the line is the same as the first one", FILE, "remove it")
                self.count += 1
                yield cells
            elif cells:
                self._refuse_width(cells, width)

    def _refuse_width(self, cells: list[str], width: int) -> None:
        have = f"{len(cells)} cell{'s' * (len(cells) > 1)}"
        message = f"{self.place}: {have}; the first line names {width} column{'s' * (width > 1)}"
        hint = delimiter_hint(self.columns, self.delimiter)
        if any("\0" in cell for cell in cells):
            message, hint = f"{self.place}: the line has NUL bytes", NUL_HINT
        elif not hint and not any(cell.strip() for cell in cells):
            hint = "remove the line, which has only spaces"
        elif not hint and len(cells) > width:
            empty = not any(cell.strip() for cell in cells[width:])
            hint = "remove the delimiter at the end of the line" if empty else ""
            hint = hint or "put a cell that contains the delimiter in double quotes"
        raise SourceError(message, FILE, hint)

    def texts(self, rows: int, missing: Collection[str]) -> set[str]:
        """The columns in which a cell of the next rows is neither a number nor missing."""
        found: set[str] = set()
        try:
            for cells in islice(self.reader, rows):
                for name, cell in zip(self.columns, cells, strict=False):
                    if name not in found and not is_number(cell) and not is_missing(cell.strip(), missing):
                        found.add(name)
        except (csv.Error, UnicodeDecodeError):  # told when the rows are read
            pass
        return found


def _as_numbers(
    cells: list[str],
    columns: Sequence[int],
    odd: OddCells,
    lacking: Collection[int],
    missing: Collection[str],
    lines: _Lines,
) -> list[float]:
    """Some cells of a row as numbers; NaN for a cell that is none."""
    try:
        chosen = [cells[index] for index in columns]
        values = [float(cell) for cell in chosen]
        text = "\n" + "\n".join(chosen)  # one check for the whole row; its cells are checked only if it fails
        if sum(map(abs, values)) < EXACT and text.isascii() and "_" not in text and not PADDED.search(text):
            return values
    except ValueError:
        pass
    found = []
    for index in columns:
        cell = cells[index]
        value = float(cell) if is_number(cell) else math.nan
        if math.isfinite(value):
            odd.look(index, cell, value, lines.line)
        elif index not in lacking or not is_missing(cell.strip(), missing):
            odd.refuse(index, cell, lines.line)
            value = math.nan
        found.append(value)
    return found


class _Collected:
    """The texts of a column, collected while the rows are read."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.codes = array("i")

    def add(self, cell: str) -> None:
        """Add the next row's cell."""
        self.codes.append(self.seen.setdefault(cell.strip(), len(self.seen)))

    def add_coded(self, part: Any, name: str) -> bool:
        """Add rows of a dictionary of pyarrow; False where a cell needs the strict reader."""
        import numpy as np

        words = ["" if word is None else word.strip() for word in part.dictionary.to_pylist()]
        if part.null_count or any(word.startswith('"') or word == name or "\0" in word for word in words):
            return False
        numbers = np.array([self.seen.setdefault(word, len(self.seen)) for word in words], np.int32)
        self.codes.frombytes(numbers[part.indices.to_numpy(zero_copy_only=False)].tobytes())
        return True

    def result(self) -> Texts:
        """All rows."""
        import numpy as np

        return Texts(tuple(self.seen), np.frombuffer(self.codes, np.int32))


class _Numbers:
    """Columns of numbers side by side."""

    def __init__(self, names: tuple[str, ...], values: Array | array[float]):
        """`values`: (rows, columns), or the same row after row."""
        self.places, self.values = {name: index for index, name in enumerate(names)}, values

    def columns(self, names: Sequence[str]) -> Array:
        """Some of the columns, (rows, columns) float64; no copy where they lie side by side."""
        import numpy as np

        table = np.frombuffer(self.values) if isinstance(self.values, array) else self.values
        table = table.reshape(-1, max(len(self.places), 1))
        places = [self.places[name] for name in names]
        if places == list(range(places[0], places[0] + len(places))):
            return table[:, places[0] : places[0] + len(places)]
        return table[:, places]


def _whole_lines(part: bytes) -> bytes:
    return part[: part.rfind(b"\n") + 1] or part
