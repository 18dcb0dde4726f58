"""The cells of a table as text, line by line: read strictly, with the place of each mistake."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice

from dlrun.components.sources import SourceError
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._cells import EXACT, NUL_HINT, is_missing
from dlrun.components.sources._encoding import wrong_bytes
from dlrun.components.sources._files import TableFile
from dlrun.components.sources._header import delimiter_hint, numbered, read_names
from dlrun.components.sources._layout import Layout
from dlrun.components.sources._odd_cells import OddCells
from dlrun.components.sources._streams import UnpackError
from dlrun.components.sources._text import Part, bounded, open_text
from dlrun.language.field_type import FieldType
from dlrun.language.times import read_time

PADDED = re.compile(r"\n[ +-]*0\d")
"""A cell that begins with a zero before another digit, where each cell stands on a line of its own."""


@contextmanager
def open_lines(file: TableFile, layout: Layout, limit: int | None = None) -> Iterator[Lines]:
    """The lines of a file, or of its first `limit` bytes, after the one that names the columns.

    Raises:
        SourceError: the file cannot be read, now or in the block.
    """
    lines: Lines | None = None
    try:
        with open_text(file, layout.codec, limit) as part:
            lines = Lines(file, part, layout)
            lines.read_header()
            yield lines
    except csv.Error as error:
        if lines is None or not lines.part.cut or not lines.count:  # otherwise a row is cut at the limit
            line = lines.reader.line_num if lines else 1
            raise SourceError(f"{file.name}:{line}: {error}", file.at) from None
    except UnicodeDecodeError:
        raise wrong_bytes(file, layout) from None
    except UnicodeError as error:
        hint = "for text without a mark at the beginning, name the form: utf-16-le or utf-16-be"
        raise SourceError(f"{file.name} is not {layout.encoding.upper()} text: {error}", file.at, hint) from None


class Lines:
    """The cells of an open file, line by line."""

    def __init__(self, file: TableFile, part: Part, layout: Layout):
        self.file, self.part, self.layout, self.count = file, part, layout, 0
        delimiter = layout.delimiter
        self.reader = csv.reader(
            bounded(file, part.text), delimiter=delimiter, skipinitialspace=delimiter != " ", strict=True
        )
        self.columns: list[str] = []
        self._first: list[list[str]] = []
        """The first line where it is a row."""

    def read_header(self) -> None:
        """Find the names of the columns."""
        if self.layout.header:
            self.columns = read_names(self.file, next(self.reader, []))
        else:
            cells = next((cells for cells in self.reader if cells), [])
            self._first = [cells] if cells else []
            self.columns = numbered(self.file, cells, self.layout.names)

    @property
    def place(self) -> str:
        """The last line read, ``wine.csv:17``."""
        return f"{self.file.name}:{self.reader.line_num}"

    def rows(self, bad: BadRows | None = None, before: int = 0) -> Iterator[list[str]]:
        """The cells of each line that is not empty.

        Args:
            bad: takes the rows that are not what a row is, each of which is then empty cells; None to refuse them.
            before: how many rows come before those of this file.
        """
        width, first, header = len(self.columns), self.columns[0], self.layout.header
        for cells in self._all() if bad is None else self._all_but_broken(bad, before):
            if bad is not None:
                bad.row = before + self.count
            if len(cells) != width or (header and cells[0].strip() == first):
                if not cells:
                    continue
                try:
                    self._need_row(cells)
                except SourceError as error:
                    if bad is None:
                        raise
                    bad.add(self._without_place(error.message))
                    cells = [""] * width
            self.count += 1
            yield cells

    def types(self, rows: int, missing: Collection[str]) -> dict[str, FieldType]:
        """What the columns hold in the next rows: numbers, times, or else texts; a missing cell may be any of them."""
        found: dict[str, FieldType] = {}
        try:
            for cells in islice(self._all(), rows):
                for name, cell in zip(self.columns, cells, strict=False):
                    if found.get(name) != "text" and not is_missing(cell.strip(), missing):
                        kind = self._type_of(cell)
                        found[name] = kind if found.get(name, kind) == kind else "text"
        except (csv.Error, UnicodeError, UnpackError, SourceError):  # told when the rows are read
            pass
        return {name: found.get(name, "number") for name in self.columns}

    def _type_of(self, cell: str) -> FieldType:
        if self.layout.plain(cell):
            return "number"
        return "text" if read_time(cell.strip()) is None else "time"

    def numbers(
        self,
        cells: list[str],
        columns: Sequence[int],
        odd: OddCells,
        lacking: Collection[int],
        missing: Collection[str],
    ) -> list[float]:
        """Some cells of the last row as numbers; NaN for a cell that is none."""
        try:
            chosen = [cells[index] for index in columns]
            if not self.layout.is_plain:
                chosen = [self.layout.plain(cell) for cell in chosen]
            values = [float(cell) for cell in chosen]
            text = "\n" + "\n".join(chosen)  # one check for the whole row; its cells are checked only if it fails
            if sum(map(abs, values)) < EXACT and text.isascii() and "_" not in text and not PADDED.search(text):
                return values
        except ValueError:
            pass
        found = []
        for index in columns:
            cell = cells[index]
            plain = self.layout.plain(cell)
            value = float(plain) if plain else math.nan
            if math.isfinite(value):
                odd.look(index, plain, value, self.place)
            elif index not in lacking or not is_missing(cell.strip(), missing):
                odd.refuse(index, cell, self.place)
                value = math.nan
            found.append(value)
        return found

    def _all(self) -> Iterable[list[str]]:
        return chain(self._first, self.reader) if self._first else self.reader

    def _all_but_broken(self, bad: BadRows, before: int) -> Iterator[list[str]]:
        """All lines; one whose quotes are wrong is a bad row, unless it may have taken other rows with it."""
        yield from self._first
        while True:
            line = self.reader.line_num
            try:
                cells = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                if self.reader.line_num > line + 1:
                    raise
                bad.add(str(error), before + self.count)
                cells = [""] * len(self.columns)
            yield cells

    def _without_place(self, message: str) -> str:
        return message.removeprefix(f"{self.place}: ")

    def _need_row(self, cells: list[str]) -> None:
        """Hold a line to the columns.

        Raises:
            SourceError: it has another number of cells, or is the first line again.
        """
        width = len(self.columns)
        if len(cells) == width:
            if [cell.strip() for cell in cells] == self.columns:
                raise SourceError(f"{self.place}: the line is the same as the first one", self.file.at, "remove it")
            return
        have = f"{len(cells)} cell{'s' * (len(cells) > 1)}"
        names = "names" if self.layout.header else "has"
        unit = "column" if self.layout.header else "cell"
        message = f"{self.place}: {have}; the first line {names} {width} {unit}{'s' * (width > 1)}"
        hint = delimiter_hint(self.columns, self.layout.delimiter) if self.layout.header else ""
        if any("\0" in cell for cell in cells):
            message, hint = f"{self.place}: the line has NUL bytes", NUL_HINT
        elif not hint and not any(cell.strip() for cell in cells):
            hint = "remove the line, which has only spaces"
        elif not hint and len(cells) > width:
            empty = not any(cell.strip() for cell in cells[width:])
            hint = "remove the delimiter at the end of the line" if empty else ""
            hint = hint or "put a cell that contains the delimiter in double quotes"
        raise SourceError(message, self.file.at, hint)
