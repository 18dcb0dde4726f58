"""JSON lines as a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from dlrun.components.sources import Field, SourceError, SourceNote
from dlrun.components.sources._cells import EXACT, is_missing, is_number
from dlrun.components.sources._files import LOOK, TYPED_ROWS, WHOLE, CellRules, TableFile, need_names
from dlrun.components.sources._filling import Block, Filling
from dlrun.components.sources._header import listed
from dlrun.components.sources._json_rows import JsonRows, Row, named, open_rows
from dlrun.components.sources._odd_cells import rounded_note
from dlrun.components.sources._rows import FileTable, Unusable
from dlrun.components.sources._streams import unpacked_size
from dlrun.components.sources._text import Look
from dlrun.errors import SpecPath
from dlrun.language.times import read_time

NESTED = "write each of its values under a key of its own, such as a_1 and a_2"
NUMBERS = {int, float}


class JsonTable(FileTable):
    """Files of JSON lines with the same keys, one after the other."""

    has_lines = True

    def __init__(self, name: str, files: Sequence[TableFile], rules: CellRules, whole: bool):
        """Read the first rows; `whole` says whether all of them are wanted."""
        super().__init__(name, files, rules)
        self.size = sum(unpacked_size(file.path, file.size) for file in files)
        self.complete = whole or self.size <= WHOLE
        self.no_times: set[str] = set()
        """The columns with a text that is no time."""
        self.sorts: dict[str, str] = {}
        """For each column what its values are: number, boolean, text or nested; '' where none is known."""
        self.first: dict[str, tuple[str, Any]] = {}
        """For each column its first value of that sort, with its place."""
        self.seen: dict[str, dict[str, tuple[int, str, Any]]] = {}
        """For each column the sorts of its first values: how many, and the first one with its place."""
        with open_rows(files[0], None if self.complete else LOOK, self.bad) as rows:
            for row in islice(rows, TYPED_ROWS):
                self._look(row, rows.place)
        for name, sorts in self.seen.items():
            # The first value says what its column holds; where it may be a bad one, the most frequent sort does.
            by_count = sorted(sorts, key=lambda sort: -sorts[sort][0])
            self.sorts[name] = next(iter(sorts if self.bad is None else by_count), "")
            if sorts:
                _, place, value = sorts[self.sorts[name]]
                self.first[name] = place, value
        self.known = self.sorts.keys()
        self.fields = {name: _field(name, sort, name not in self.no_times) for name, sort in self.sorts.items()}
        if not self.fields:
            raise SourceError(f"{self.name} has no rows", self.at)
        need_names(files[0], list(self.fields))

    def bytes_of(self, names: Collection[str]) -> int:
        return self.size

    def fill(
        self,
        rows: Filling,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str],
    ) -> tuple[SourceNote, ...]:
        unusable = Unusable({**texts, **numbers})
        self._refuse_types(numbers, texts, unusable)
        reader = _Reader(self, rows, unusable, lacking)
        self.read_rows, look = 0, Look(None if self.complete else LOOK)
        for file in self.files:
            if not look.reaches(file):
                continue
            with open_rows(file, look.left, self.bad, self.read_rows) as found:
                try:
                    reader.read(found)
                except SourceError:
                    if not found.part.cut or not found.count:  # otherwise a row is cut at the limit
                        raise
                look.saw(file, found.part, found.count)
                self.read_rows += found.count
        self.rows = sum(file.rows for file in self.files)
        self.finish()
        reader.refuse_missing()
        unusable.report()
        return tuple(reader.notes({**texts, **numbers}))

    def cell(self, name: str, row: int) -> str:
        if self.bad is not None:
            return self.cell_that_was_read(name, row)
        file, row = self.file_of(row)
        with open_rows(file) as rows:
            value = next(islice(rows, row, None)).get(name)
            return f"{rows.place}: column '{name}' is {named(value)}"

    def lines_of(self, file: TableFile, before: int) -> Iterator[int]:
        with open_rows(file, bad=self.bad, before=before) as rows:
            for _ in rows:
                yield rows.line

    def listed(self) -> str:
        return listed(list(self.fields), header=False)

    def _look(self, row: Row, place: str) -> None:
        for name, value in row.items():
            sorts = self.seen.setdefault(name, {})
            if value is not None:
                count, at, first = sorts.get(sort_of(value), (0, place, value))
                sorts[sort_of(value)] = count + 1, at, first
            if isinstance(value, str) and name not in self.no_times and read_time(value.strip()) is None:
                self.no_times.add(name)

    def _refuse_types(self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], unusable: Unusable) -> None:
        for name in (*numbers, *texts):
            field = self.fields[name]
            if field.type == "other" or (field.type in ("text", "time") and name in numbers):
                place, value = self.first[name]
                message = f"{place}: column '{name}' is {named(value)}"
                if field.type == "other":
                    unusable.column(name, message, NESTED)
                else:
                    unusable.texts(name, f"{message}, not a number", lacking=False, times=field.type == "time")


class _Reader:
    """Reads some columns of rows."""

    def __init__(self, table: JsonTable, into: Filling, unusable: Unusable, lacking: Collection[str]):
        """Columns that are unusable are known already; 0 and '' stand for their values. `lacking` may lack values."""
        self.table, self.into, self.unusable, self.lacking = table, into, unusable, lacking
        self.numbers, self.unused = into.names, frozenset(unusable.found)
        self.plain = all(table.sorts[name] == "number" for name in self.numbers)
        self.missing: dict[str, tuple[str, int]] = {}
        """For each column of numbers that lacks some the place of the first row without one, and their count."""
        self.rounded: dict[str, tuple[str, int]] = {}
        """For each column with whole numbers too large to be exact the first one, with its place."""

    def read(self, rows: JsonRows) -> None:
        """Add the rows of a file."""
        known, block = self.table.known, Block(self.into)
        for row in rows:
            if not row.keys() <= known:
                row = rows.set_aside(self._unknown_key(row, rows))
            values = self._as_numbers(row, rows)
            for name, found in self.into.texts.items():
                found.add("" if name in self.unused else self._as_text(name, row.get(name), rows))
            block.add(values)
        block.finish()

    def refuse_missing(self) -> None:
        """Note down the columns that lack values where each row needs one."""
        for name, (place, count) in self.missing.items():
            more = f", one of {count} rows without a value" if count > 1 else ""
            self.unusable.lacks(name, f"{place}: column '{name}' has no value{more}")

    def notes(self, named_by: Mapping[str, SpecPath]) -> Iterable[SourceNote]:
        """What is not kept as it is written."""
        for name, (place, value) in list(self.rounded.items())[:1]:
            where = f"{place}: column '{name}' is {value}"
            yield rounded_note(where, float(value), len(self.rounded), named_by[name])

    def _as_numbers(self, row: Row, rows: JsonRows) -> list[float]:
        if self.plain:
            try:
                chosen = [row[name] for name in self.numbers]
                if NUMBERS.issuperset(map(type, chosen)) and sum(map(abs, chosen)) < EXACT:
                    return chosen
            except KeyError:
                pass
        return [0.0 if name in self.unused else self._as_number(name, row.get(name), rows) for name in self.numbers]

    def _as_number(self, name: str, value: Any, rows: JsonRows) -> float:
        """A value as a number; NaN where there is none, or where it is none."""
        if value is None:
            if name in self.lacking:
                return math.nan
            if rows.bad is not None:
                return self._wrong(name, "has no value", "", rows)
            place, count = self.missing.get(name, (rows.place, 0))
            self.missing[name] = place, count + 1
            return math.nan
        if sort_of(value) != (self.table.sorts[name] or "number"):
            return self._refuse(name, value, rows)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            way = "the largest number is 1.8e308: write it in a larger unit"
            return self._wrong(name, "is too large for a number", way, rows)
        if isinstance(value, int) and abs(value) >= EXACT and int(number) != value:
            self.rounded.setdefault(name, (rows.place, value))
        return number

    def _as_text(self, name: str, value: Any, rows: JsonRows) -> str:
        if value is None:
            return ""
        if sort_of(value) != (self.table.sorts[name] or "text"):
            self._refuse(name, value, rows)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value)

    def _refuse(self, name: str, value: Any, rows: JsonRows) -> float:
        """Note down a value of another sort than the first one of its column."""
        place, first = self.table.first.get(name, ("", None))
        before = f"; {place} has {named(first)}" if place else f", and no value is in the first {TYPED_ROWS} rows"
        way = "write values of one sort in a column" if place else "put a row with a value among the first ones"
        if isinstance(value, str) and self.table.sorts[name] == "number":
            way = "write the number without quotes" if is_number(value) else "write a number"
            way = "write null where there is no value" if is_missing(value.strip(), self.table.missing) else way
        elif self.table.sorts[name] == "text" and isinstance(value, int | float):
            way = "write it in quotes, as the others"
        return self._wrong(name, f"is {named(value)}{before}", way, rows)

    def _wrong(self, name: str, what: str, way: str, rows: JsonRows) -> float:
        """Note down a value that cannot be used: of a bad row, or in the error about all columns."""
        if rows.bad is not None:
            rows.bad.add(f"column '{name}' {what}")
        else:
            self.unusable.cell(name, f"{rows.place}: column '{name}' {what}", way)
        return math.nan

    def _unknown_key(self, row: Row, rows: JsonRows) -> SourceError:
        name = next(key for key in row if key not in self.table.known)
        message = f"{rows.place}: the key '{name}' is in none of the first {TYPED_ROWS} rows"
        if rows.count <= TYPED_ROWS:
            message = f"{rows.place}: the key '{name}' is not in {self.table.files[0].name}"
        return SourceError(message, rows.file.at, "add it to the first row: null where it has no value")


def sort_of(value: Any) -> str:
    """What a value is: number, boolean, text or nested."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "nested"


def _field(name: str, sort: str, times: bool) -> Field:
    if sort == "nested":
        return Field(name, "other", what="lists or objects", way_out=NESTED)
    if sort != "text":
        return Field(name, "number")
    return Field(name, "time", what="times") if times else Field(name, "text", what="texts")
