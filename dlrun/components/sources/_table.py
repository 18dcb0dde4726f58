"""Tables as text: read strictly, with the place of each mistake, and fast where there is none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from dlrun.components.sources import Field, SourceError, SourceNote
from dlrun.components.sources._arrow_csv import ArrowReader
from dlrun.components.sources._cells import is_number
from dlrun.components.sources._files import LOOK, TYPED_ROWS, WHOLE, CellRules, TableFile, need_same
from dlrun.components.sources._filling import Block, Filling, InMemory
from dlrun.components.sources._header import delimiter_hint, listed
from dlrun.components.sources._layout import Layout
from dlrun.components.sources._lines import open_lines
from dlrun.components.sources._odd_cells import OddCells
from dlrun.components.sources._rows import FileTable
from dlrun.components.sources._streams import unpacked_size
from dlrun.components.sources._text import Look
from dlrun.errors import SpecPath
from dlrun.language.field_type import FieldType
from dlrun.language.suggestions import shorten

SMALL = 1 << 20
"""Bytes of files that Python's own reader takes as little time for as the import of a faster one."""


class TextTable(FileTable):
    """Files of text with the same columns, one after the other.

    Cells may be in double quotes, and spaces around cells do not count. Large files are read by pyarrow; whatever it
    does not take is read again line by line, strictly, so that there is one meaning and every mistake has its place.
    """

    value = "cell"
    as_written = True
    has_lines = True

    def __init__(self, name: str, files: Sequence[TableFile], layout: Layout, rules: CellRules, whole: bool):
        """Read the first lines; `whole` says whether all of them are wanted."""
        super().__init__(name, files, rules)
        self.layout = layout
        self.size = sum(unpacked_size(file.path, file.size) for file in files)
        self.complete = whole or self.size <= WHOLE
        columns, types = [], dict[str, FieldType]()
        for file in files:
            with open_lines(file, layout) as lines:
                columns.append(lines.columns)
                if file is files[0]:
                    types = lines.types(TYPED_ROWS, self.missing)
        need_same(files, columns, "all files need the same columns")
        self.columns = columns[0]
        self.fields = {name: Field(name, types[name]) for name in self.columns}
        self.places = {name: index for index, name in enumerate(self.columns)}

    def fill(
        self,
        rows: Filling,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str],
    ) -> tuple[SourceNote, ...]:
        fast, notes = self.size > SMALL and self.complete and self.layout.thousands is None, ()
        if fast:
            look = InMemory(list(numbers), list(texts))
            notes = self._read_strictly(look, numbers, texts, lacking, TYPED_ROWS)
            fast = self._read_fast(rows, lacking)
        if not fast:
            rows.clear()
            notes = self._read_strictly(rows, numbers, texts, lacking)
        self._refuse_own_names(rows, texts)
        self.finish(" after its first line" if self.layout.header else "")
        return notes

    def bytes_of(self, names: Collection[str]) -> int:
        return self.size

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "layout": self.layout}

    def cell(self, name: str, row: int) -> str:
        if self.bad is not None:
            return self.cell_that_was_read(name, row)
        file, row = self.file_of(row)
        with open_lines(file, self.layout) as lines:
            cells = next(islice(lines.rows(), row, None))
            return f"{lines.place}: column '{name}' is '{shorten(cells[self.places[name]])[1:-1]}'"

    def lines_of(self, file: TableFile, before: int) -> Iterator[int]:
        with open_lines(file, self.layout) as lines:
            for _ in lines.rows(self.bad, before):
                yield lines.reader.line_num

    def listed(self) -> str:
        return listed(self.columns, self.layout.header)

    def reading_hint(self) -> str:
        return delimiter_hint(self.columns, self.layout.delimiter) if self.layout.header else ""

    def _read_strictly(
        self,
        into: Filling,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str],
        most: int | None = None,
    ) -> tuple[SourceNote, ...]:
        """Line by line, at most so many rows; of files that are only looked at, the first part. Returns the notes."""
        wanted = [self.places[name] for name in numbers]
        labels = [(self.places[name], found) for name, found in into.texts.items()]
        named_by = {self.places[name]: at for name, at in numbers.items()}
        odd = OddCells(self.columns, named_by, self.missing, self.layout, self.bad)
        block, may_lack = Block(into), {self.places[name] for name in lacking}
        self.read_rows, look = 0, Look(None if self.complete else LOOK)
        for file in self.files:
            if not look.reaches(file) or (most is not None and self.read_rows >= most):
                continue
            with open_lines(file, self.layout, look.left) as lines:
                left = None if most is None else most - self.read_rows
                for cells in islice(lines.rows(self.bad, self.read_rows), left):
                    for index, collected in labels:
                        collected.add(cells[index].strip())
                    block.add(lines.numbers(cells, wanted, odd, may_lack, self.missing))
                look.saw(file, lines.part, lines.count)
                self.read_rows += lines.count
        self.rows = sum(file.rows for file in self.files)
        if most is None:  # otherwise more columns may be wrong further down, and all are told at once
            odd.report(self.read_rows)
        block.finish()
        return odd.notes()

    def _refuse_own_names(self, rows: Filling, texts: Mapping[str, SpecPath]) -> None:
        """Refuse a first line that is a row: a class is its own column's name, and others are numbers."""
        for name, at in texts.items():
            same = self.layout.header and at[0] == "target" and name in rows.texts[name].seen
            if same and any(is_number(column) for column in self.columns):
                row = shorten(", ".join(self.columns))
                message = f"{self.files[0].name}:1: the first line looks like a row, {row}, and must name the columns"
                hint = f"add a first line with the names, or write `{self.at[1]}: {{path: …, header: false}}`"
                raise SourceError(message, self.at, hint)

    def _read_fast(self, rows: Filling, lacking: Collection[str]) -> bool:
        """By pyarrow, in parts; False where it finds a cell that needs the strict reader, or sees other columns."""
        reader = ArrowReader(self.columns, rows, lacking, self._marks(), self.layout, self.size)
        for file in self.files:
            before = rows.rows
            if not reader.read(file):
                return False
            file.rows = rows.rows - before
        self.rows = self.read_rows = rows.rows
        return True

    def _marks(self) -> list[str]:
        """The marks of a missing value in the cases that files have; the strict reader takes any case."""
        cases = (str, str.lower, str.upper, str.title)
        return ["", *dict.fromkeys(case(mark) for mark in self.missing for case in cases)]
