"""Shared by the sources of texts: a table of lines and cells, read strictly, with the place of each mistake."""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dlrun.components.sources import Field, SourceError, Table, Texts, vocabulary
from dlrun.components.sources._cells import (
    holds_data,
    is_missing,
    is_number,
    other_separator,
    sort_of,
    way_out,
)
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
"""How many rows decide what sort of values a column has."""
PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""A name that needs no quotes in YAML."""
STEPS = IMPUTE, IMPUTE_TEXTS, ONE_HOT = (
    "`impute: {{columns: {}}}`",
    "`impute: {{columns: {}, with: most_frequent}}`",
    "`one_hot: {{columns: {}}}`",
)
"""Encoders for columns that are not numbers, as a spec has them, in the order in which they work."""
EXAMPLES = 2
"""How many cells of a column an error shows."""
NAMED_COLUMNS = 10
"""How many columns an error names."""


class TextTable(Table):
    """A table as text: the first line names the columns.

    Cells may be in double quotes, and spaces around cells do not count. A large file is read by pyarrow; whatever it
    does not take is read again line by line, strictly, so that there is one meaning and every mistake has its place.
    """

    value = "cell"

    def __init__(self, file: Path, delimiter: str, missing: Collection[str], at: SpecPath, whole: bool):
        """Read the first lines of `file`; `at` is the setting that names it, and `whole` whether all is wanted."""
        self.file, self.name, self.delimiter, self.missing, self.at = file, file.name, delimiter, missing, at
        self.rows, self._numbers, self._texts = 0, _Numbers((), array("d")), dict[str, Texts]()
        with self._cells() as lines:
            self.size = file.stat().st_size
            self.complete = whole or self.size <= WHOLE
            self.columns = lines.header()
            self.fields = {name: Field(name, "number") for name in self.columns}
            for name in lines.texts(TYPED_ROWS):
                self.fields[name] = Field(name, "text")
        self.places = {name: index for index, name in enumerate(self.columns)}

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        whole = self.size > SMALL and self.complete and self._read_fast(list(numbers), list(texts), lacking)
        if not whole:
            self._read_strictly(numbers, list(texts), lacking)
        if not self.rows:
            raise SourceError(f"{self.name} has no rows after its first line", self.at)

    def numbers(self, names: Sequence[str]) -> Array:
        return self._numbers.columns(names)

    def texts(self, name: str) -> Texts:
        return self._texts[name]

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return vocabulary(self._numbers.columns(names))

    def cell(self, name: str, row: int) -> str:
        with self._cells() as lines:
            lines.header()
            cells = next(islice(lines.rows(), row, None))
            return f"{lines.place}: column '{name}' is '{_short(cells[self.places[name]])}'"

    def listed(self) -> str:
        more = f" and {len(self.columns) - 20} more" if len(self.columns) > 20 else ""
        return "columns, from the first line: " + ", ".join(self.columns[:20]) + more

    def reading_hint(self) -> str:
        return _delimiter_hint(self.columns, self.delimiter)

    def _marks(self) -> list[str]:
        """The marks of a missing value in the cases that files have; the strict reader takes any case."""
        cases = (str, str.lower, str.upper, str.title)
        return ["", *dict.fromkeys(case(mark) for mark in self.missing for case in cases)]

    def _read_strictly(self, numbers: Mapping[str, SpecPath], texts: list[str], lacking: Collection[str]) -> None:
        """Line by line; of a file that is only looked at, the first part."""
        wanted = [self.places[name] for name in numbers]
        labels = [(self.places[name], _Collected()) for name in texts]
        values, wrong = array("d"), _WrongCells(self, numbers, {self.places[name] for name in lacking})
        with self._cells(None if self.complete else SMALL) as lines:
            lines.header()
            for cells in lines.rows():
                values.extend(wrong.numbers(cells, wanted, lines))
                for index, collected in labels:
                    collected.add(cells[index])
            self.rows = self.read_rows = lines.count
            if not self.complete:
                self.rows = max(lines.count, round(self.size / SMALL * lines.count))
        wrong.report()
        self._numbers = _Numbers(tuple(numbers), values)
        self._texts = {name: collected.result() for name, (_, collected) in zip(texts, labels, strict=True)}

    def _read_fast(self, numbers: list[str], texts: list[str], lacking: Collection[str]) -> bool:
        """By pyarrow, in parts; False where it finds a cell that is not what is wanted, or sees other columns."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv as arrow

        parse = arrow.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)
        read = arrow.ReadOptions(block_size=SMALL)
        try:
            raw = arrow.open_csv(self.file, read, parse).schema.names
            if [name.strip() for name in raw] != self.columns:
                return False
            chosen = [raw[self.places[name]] for name in (*numbers, *texts)]
            as_text = pa.dictionary(pa.int32(), pa.string())
            types = {name: pa.float64() if i < len(numbers) else as_text for i, name in enumerate(chosen)}
            convert = arrow.ConvertOptions(
                include_columns=chosen, column_types=types, null_values=self._marks() if lacking else []
            )
            full = [index for index, name in enumerate(numbers) if name not in lacking]
            table = np.empty((max(1, self.size // (2 * len(raw))), len(numbers)) if numbers else (0, 0))
            collected, rows = [_Collected() for _ in texts], 0
            for part in arrow.open_csv(self.file, read, parse, convert):
                end = rows + part.num_rows
                if numbers and end > len(table):
                    table.resize((end + end // 4, len(numbers)), refcheck=False)
                for index in range(len(numbers)):
                    table[rows:end, index] = part.column(index).to_numpy(zero_copy_only=False)
                if not np.isfinite(table[rows:end, full]).all() or np.isinf(table[rows:end]).any():
                    return False
                for index, one in enumerate(collected, len(numbers)):
                    if not one.add_coded(part.column(index)):
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

    @contextmanager
    def _cells(self, limit: int | None = None) -> Iterator[_Lines]:
        """The lines of the file, or of its first `limit` bytes.

        Raises:
            SourceError: the file cannot be read, now or in the block.
        """
        lines: _Lines | None = None
        try:
            with self.file.open("rb") as stream:
                part: BinaryIO = stream if limit is None else io.BytesIO(_whole_lines(stream.read(limit)))
                with io.TextIOWrapper(part, encoding="utf-8-sig", newline="") as text:
                    lines = _Lines(self, text)
                    yield lines
        except UnicodeDecodeError:
            raise SourceError(f"{self.name} is not UTF-8 text", self.at, "save it as UTF-8") from None
        except csv.Error as error:
            if limit is None or lines is None or not lines.count:
                line = lines.reader.line_num if lines else 1
                raise SourceError(f"{self.name}:{line}: {error}", self.at) from None
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror or error}", self.at) from None


class _Lines:
    """The cells of an open file, line by line."""

    def __init__(self, table: TextTable, stream: io.TextIOWrapper):
        self.table, self.count = table, 0
        spaced = table.delimiter != " "
        self.reader = csv.reader(stream, delimiter=table.delimiter, skipinitialspace=spaced, strict=True)
        self.width = 0

    @property
    def place(self) -> str:
        """The last line read, ``wine.csv:17``."""
        return f"{self.table.name}:{self.reader.line_num}"

    def header(self) -> list[str]:
        """The names of the columns, from the first line."""
        columns = _header(self.table, next(self.reader, []))
        self.width = len(columns)
        return columns

    def rows(self) -> Iterator[list[str]]:
        """The cells of each line that is not empty."""
        for cells in self.reader:
            if len(cells) == self.width:
                self.count += 1
                yield cells
            elif cells:
                message = f"{self.place}: {len(cells)} cells; the first line names {self.width} columns"
                hint = "put a cell that contains the delimiter in double quotes" if len(cells) > self.width else ""
                raise SourceError(message, self.table.at, self.table.reading_hint() or hint)

    def texts(self, rows: int) -> list[str]:
        """The columns in which a cell of the next rows is neither a number nor missing."""
        found: dict[str, None] = {}
        try:
            for cells in islice(self.reader, rows):
                for name, cell in zip(self.table.columns, cells, strict=False):
                    if name not in found and not is_number(cell) and not is_missing(cell.strip(), self.table.missing):
                        found[name] = None
        except (csv.Error, UnicodeDecodeError):  # told when the rows are read
            pass
        return list(found)


@dataclass(slots=True)
class _WrongCells:
    """The cells that should be numbers and are none."""

    table: TextTable
    named_by: Mapping[str, SpecPath]
    """For each column of numbers the setting that names it."""
    lacking: set[int]
    """The columns in which a value may be missing."""
    found: dict[int, dict[str, int]] = field(default_factory=dict)
    """For each column with such cells the first two different ones, with their lines."""
    texts: dict[int, int] = field(default_factory=dict)
    """For each column how many cells are neither numbers nor missing."""
    missing: dict[int, int] = field(default_factory=dict)
    """For each column how many cells are missing."""

    def numbers(self, cells: list[str], columns: Sequence[int], lines: _Lines) -> list[float]:
        """Some cells of a row as numbers; NaN for a cell that is none."""
        try:
            chosen = [cells[index] for index in columns]
            values = [float(cell) for cell in chosen]
            text = "".join(chosen)  # one check for the whole row; cells are checked one by one only if it fails
            if math.isfinite(sum(values)) and text.isascii() and "_" not in text:
                return values
        except ValueError:
            pass
        return [self._number(cells[index], index, lines) for index in columns]

    def _number(self, cell: str, index: int, lines: _Lines) -> float:
        value = float(cell) if is_number(cell) else math.nan
        if math.isfinite(value) or (index in self.lacking and is_missing(cell.strip(), self.table.missing)):
            return value
        counts = self.missing if is_missing(cell.strip(), self.table.missing) else self.texts
        counts[index] = counts.get(index, 0) + 1
        found = self.found.setdefault(index, {})
        if len(found) < EXAMPLES:
            found.setdefault(cell, lines.reader.line_num)
        return math.nan

    def report(self) -> None:
        """Raise one error about all columns in which a cell is not a number; features before targets."""
        if not self.found:
            return
        names = self.table.columns
        settings = {self.named_by[names[index]] for index in self.found}
        at = min(settings, key=lambda path: (path[0] != "features", path))
        wrong = {index: cells for index, cells in self.found.items() if self.named_by[names[index]] == at}
        texts, sorts, steps = [], dict[str, dict[str, None]](), dict[str, list[str]]()
        for index, cells in sorted(wrong.items())[:NAMED_COLUMNS]:
            (cell, line), *others = cells.items()
            what = "not a finite number" if _is_special(cell) else "not a number"
            text = f"{self.table.name}:{line}: column '{names[index]}' is '{_short(cell)}', {what}"
            texts.append(text + "".join(f"; line {line} has '{_short(cell)}'" for cell, line in others))
            if at[0] == "features" and (chosen := self._steps(index, cells)):
                for step in chosen:
                    steps.setdefault(step, []).append(names[index])
                continue
            for cell in cells:
                sorts.setdefault(sort_of(cell), {})[_short(cell)] = None
        if len(wrong) > NAMED_COLUMNS:
            texts.append(f"and {len(wrong) - NAMED_COLUMNS} more columns")
        added = ", ".join(_with_columns(step, steps[step]) for step in STEPS if step in steps)
        hints = [f"add to `preprocess`: {added}"] if steps else []
        hints += [self._hint(sort, list(cells)[:EXAMPLES], at) for sort, cells in sorts.items()]
        raise SourceError("\n  ".join(texts), at, "; ".join(dict.fromkeys(hints)))

    def _steps(self, index: int, cells: Collection[str]) -> list[str]:
        """The encoders for a column of features; none where its wrong cells need another way out."""
        if index not in self.texts:
            return [IMPUTE]
        mostly = 2 * self.texts[index] > self.table.read_rows - self.missing.get(index, 0)
        if not mostly or not {sort_of(cell) for cell in cells} <= {"text", "boolean", "missing"}:
            return []
        return [IMPUTE_TEXTS, ONE_HOT] if index in self.missing else [ONE_HOT]

    def _hint(self, sort: str, cells: list[str], at: SpecPath) -> str:
        if sort == "text" and at[0] == "target":
            return "use `loss: cross_entropy` for texts that are classes"
        return way_out(cells)


class _Collected:
    """The texts of a column, collected while the rows are read."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.codes = array("i")

    def add(self, cell: str) -> None:
        """Add the next row's cell."""
        self.codes.append(self.seen.setdefault(cell.strip(), len(self.seen)))

    def add_coded(self, part: Any) -> bool:
        """Add rows of a dictionary of pyarrow; False where a cell needs the strict reader."""
        import numpy as np

        words = part.dictionary.to_pylist()
        if any(word.startswith((" ", "\t")) and word.strip().startswith('"') for word in words):
            return False
        numbers = np.array([self.seen.setdefault(word.strip(), len(self.seen)) for word in words], np.int32)
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


def _with_columns(step: str, names: list[str]) -> str:
    """A step for columns, as a spec has it."""
    written = [name if PLAIN_NAME.fullmatch(name) else f'"{name}"' for name in names]
    return step.format(written[0] if len(written) == 1 else f"[{', '.join(written)}]")


def _header(table: TextTable, cells: list[str]) -> list[str]:
    columns = [name.strip() for name in cells]
    if not any(columns):
        raise SourceError(f"{table.name} has no column names in its first line", table.at)
    if holds_data(columns):
        message = f"{table.name}:1: the first line looks like a row, {shorten(', '.join(columns))}"
        raise SourceError(f"{message}, and must name the columns", table.at, "add a first line with the names")
    for number, name in enumerate(columns, 1):
        if not name:
            hint = "name it, or remove it from the file if it only counts the rows"
            raise SourceError(f"{table.name}:1: column {number} has no name", table.at, hint)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise SourceError(f"{table.name}:1: two columns are called '{twice[0]}'", table.at)
    return columns


def _whole_lines(part: bytes) -> bytes:
    return part[: part.rfind(b"\n") + 1] or part


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
