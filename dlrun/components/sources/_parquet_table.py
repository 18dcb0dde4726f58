"""Parquet files as a table: the fields from their footers, the rows in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, SourceNote
from dlrun.components.sources._cells import EXACT
from dlrun.components.sources._collected import Collected
from dlrun.components.sources._encoding import other_file
from dlrun.components.sources._files import WHOLE, CellRules, TableFile, need_names, need_same
from dlrun.components.sources._filling import Filling
from dlrun.components.sources._header import listed
from dlrun.components.sources._odd_cells import rounded_note
from dlrun.components.sources._parquet_types import field_of, to_floats, to_texts
from dlrun.components.sources._rows import FileTable, Unusable
from dlrun.errors import SpecPath
from dlrun.language.suggestions import shorten

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PART = 1 << 14
"""Rows that are read at a time: their numbers stay in the processor's cache."""
LOOKED_AT = 1 << 17
"""Values that are read of large files where only a look is wanted."""
BUFFER = 1 << 20
"""Bytes of a column that are read at a time."""


class ParquetTable(FileTable):
    """Files with the same columns, one after the other; nothing but footers is read before it is needed."""

    def __init__(self, name: str, files: Sequence[TableFile], rules: CellRules, whole: bool):
        super().__init__(name, files, rules)
        self.whole = whole
        columns, self.bytes = [], Counter[str]()
        fields: dict[str, Any] = {}
        for file in files:
            with _opened(file) as parquet:
                schema = parquet.schema_arrow
                columns.append(schema.names)
                file.rows = parquet.metadata.num_rows
                need_names(file, schema.names)
                found = {entry.name: field_of(entry.name, entry.type) for entry in schema}
                self._count_bytes(parquet.metadata)
            fields = fields or found
            need_same([files[0], file], [columns[0], columns[-1]], "all files need the same columns")
            if other := [name for name in fields if fields[name].type != found[name].type]:
                one, two = fields[other[0]], found[other[0]]
                message = f"{file.name} holds {two.what or 'numbers'} in the column '{other[0]}'"
                raise SourceError(message, file.at, f"{files[0].name} holds {one.what or 'numbers'} there")
        self.fields = fields
        self.rows = sum(file.rows for file in files)

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        self.complete = self.whole or self.bytes_of({*numbers, *texts}) <= WHOLE
        super().read(numbers, texts, lacking)
        self._read_classes(texts)

    def fill(
        self,
        rows: Filling,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str],
    ) -> tuple[SourceNote, ...]:
        import numpy as np

        unusable = Unusable({**texts, **numbers})
        self._refuse_types(numbers, texts, unusable)
        usable, words = list(unusable.others(numbers)), list(unusable.others(texts))
        self.read_rows = self.rows
        if not self.complete:
            self.read_rows = min(self.rows, max(1000, LOOKED_AT // max(1, len(usable) + len(words))))
        try:
            rows.expect(self.read_rows)
        except (MemoryError, ValueError):
            hint = "if the file is damaged, copy or write it again; or name fewer columns in `features`"
            raise SourceError(f"{self.name} has {self.rows:,} rows, too many for the memory", self.at, hint) from None
        rounded, odd = _Rounded(), _NotFinite()
        places = [(rows.names.index(name), name) for name in usable]
        for file, batch in self._parts([*usable, *words], words, self.read_rows):
            with _reading(file):
                if rows.rows + batch.num_rows > self.read_rows:
                    raise ValueError("there are more rows than its footer says")
                block = np.zeros((batch.num_rows, len(numbers)))
                for index, name in places:
                    column = batch.column(name)
                    block[:, index] = to_floats(column)
                    rounded.look(name, column, block[:, index], rows.rows)
                for name in words:
                    rows.texts[name].add_coded(*to_texts(batch.column(name)))
            if not np.isfinite(block).all():
                if self.bad is None:
                    odd.look(block, rows.rows)
                else:
                    self._set_aside(block, rows.rows, rows.names, lacking)
            rows.add(block)
        if rows.rows < self.read_rows:
            raise SourceError(f"{self.name} cannot be read: there are fewer rows than its footer says", self.at)
        self.finish()
        self._refuse_values(odd, list(numbers), lacking, unusable)
        unusable.report()
        return tuple(rounded.notes(self, numbers))

    def bytes_of(self, names: Collection[str]) -> int:
        return sum(self.bytes[name] for name in names)

    def cell(self, name: str, row: int) -> str:
        if self.bad is not None:
            return self.cell_that_was_read(name, row)
        file, place = self.file_of(row)
        with _opened(file) as parquet:
            start = 0
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if place < start + rows:
                    value = parquet.read_row_group(group, columns=[name]).column(name)[place - start].as_py()
                    shown = "null" if value is None else str(value)
                    return f"{file.name}, row {place}: column '{name}' is '{shorten(shown)[1:-1]}'"
                start += rows
        raise IndexError(row)

    def listed(self) -> str:
        return listed(list(self.fields), header=False)

    def _count_bytes(self, metadata: Any) -> None:
        """Add the bytes of each column, unpacked."""
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(index)
                self.bytes[chunk.path_in_schema.partition(".")[0]] += chunk.total_uncompressed_size

    def _refuse_types(self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], unusable: Unusable) -> None:
        for name in (*numbers, *texts):
            field = self.fields[name]
            if field.type == "other":
                unusable.column(name, f"the column '{name}' of {self.name} holds {field.what}", field.way_out)
            elif field.type in ("text", "time") and name in numbers:
                message, lacking = self._some_texts(name)
                unusable.texts(name, message, lacking, field.type == "time")

    def _some_texts(self, name: str) -> tuple[str, bool]:
        """What a column of texts holds in its first rows, and whether one of them lacks a value."""
        words = Collected()
        for _, batch in self._parts([name], [name], 1000):
            words.add_coded(*to_texts(batch.column(name)))
        shown = [f"'{shorten(word)[1:-1]}'" for word in words.seen if word][:2]
        such = f", such as {' and '.join(shown)}" if shown else ""
        return f"the column '{name}' of {self.name} holds {self.fields[name].what}{such}", "" in words.seen

    def _refuse_values(
        self, odd: _NotFinite, numbers: Sequence[str], lacking: Collection[str], unusable: Unusable
    ) -> None:
        """Refuse missing values where each row needs one, and infinite ones."""
        for index, name in enumerate(numbers):
            if index in odd.infinite:
                place = self.cell(name, odd.infinite[index])
                unusable.cell(name, f"{place}; numbers must be finite", "write its value or remove the row")
            elif index in odd.missing and name not in lacking:
                first, count = odd.missing[index]
                more = f", one of {count} rows without a value" if count > 1 else ", which is no value"
                unusable.lacks(name, self.cell(name, first) + more)

    def _set_aside(self, block: Array, start: int, names: Sequence[str], lacking: Collection[str]) -> None:
        """Note down the bad rows of a part of the table (rows, columns) that begins at the row `start`."""
        import numpy as np

        assert self.bad is not None
        may_lack = np.array([name in lacking for name in names])
        for row, column in np.argwhere(np.where(may_lack, np.isinf(block), ~np.isfinite(block))).tolist():
            what = f"is '{block[row, column]}', and numbers must be finite"
            what = "has no value" if np.isnan(block[row, column]) else what
            self.bad.add(f"column '{names[column]}' {what}", start + row)

    def _read_classes(self, texts: Mapping[str, SpecPath]) -> None:
        """Where only a look is wanted, read the classes of a target in all rows if they are few bytes."""
        for name, at in texts.items():
            if not self.complete and at[0] == "target" and self.bytes[name] <= WHOLE:
                words = Collected()
                for file, batch in self._parts([name], [name], self.rows):
                    with _reading(file):
                        words.add_coded(*to_texts(batch.column(name)))
                self._texts[name] = words.result()

    def _parts(self, names: Sequence[str], texts: Sequence[str], most: int) -> Iterator[tuple[TableFile, Any]]:
        """The first rows of some columns, in parts, with the file that each is of."""
        for file in self.files:
            if most <= 0:
                return
            with _opened(file, [name for name in texts if self.fields[name].what == "texts"]) as parquet:
                for batch in parquet.iter_batches(min(PART, max(most, 1)), columns=list(names)):
                    yield file, batch.slice(0, most)
                    most -= batch.num_rows
                    if most <= 0:
                        break


class _NotFinite:
    """Values that are not finite, by the place of their column."""

    def __init__(self) -> None:
        self.infinite: dict[int, int] = {}
        """The first row with an infinite value."""
        self.missing: dict[int, tuple[int, int]] = {}
        """The first row without a value, and how many there are."""

    def look(self, block: Array, start: int) -> None:
        """Look at a part of the table (rows, columns) that begins at the row `start`."""
        import numpy as np

        missing, infinite = np.isnan(block), np.isinf(block)
        for index in np.flatnonzero(infinite.any(0)).tolist():
            self.infinite.setdefault(index, start + int(infinite[:, index].argmax()))
        for index in np.flatnonzero(missing.any(0)).tolist():
            first, count = self.missing.get(index, (start + int(missing[:, index].argmax()), 0))
            self.missing[index] = first, count + int(missing[:, index].sum())


class _Rounded:
    """Whole numbers that float64 does not keep: the first one of each column."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[int, int]] = {}

    def look(self, name: str, column: Any, values: Array, start: int) -> None:
        """Look at a part of a column that begins at the row `start`."""
        import numpy as np
        from pyarrow import types

        exact = types.is_int64(column.type) or types.is_uint64(column.type) or types.is_decimal(column.type)
        if name in self.found or not exact:
            return
        for row in np.flatnonzero(np.abs(values) >= EXACT).tolist():
            value = column[row].as_py()
            if value == int(value) and int(values[row]) != int(value):
                self.found[name] = (start + row, int(value))
                return

    def notes(self, table: ParquetTable, named_by: Mapping[str, SpecPath]) -> Iterator[SourceNote]:
        """One note about all columns."""
        for name, (row, value) in list(self.found.items())[:1]:
            yield rounded_note(table.cell(name, row), float(value), len(self.found), named_by[name])


@contextmanager
def _opened(file: TableFile, as_dictionary: Sequence[str] = ()) -> Iterator[Any]:
    """An open file; `as_dictionary` are the columns of texts whose different values are wanted once.

    Raises:
        SourceError: it is no parquet file, or it cannot be read, now or in the block.
    """
    with _reading(file):
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile

        try:
            opened = ParquetFile(
                file.path,
                read_dictionary=list(as_dictionary),
                buffer_size=BUFFER,
                pre_buffer=False,
                page_checksum_verification=True,
            )
        except pa.ArrowInvalid:
            raise _no_parquet(file) from None
        with opened:
            yield opened


def _no_parquet(file: TableFile) -> SourceError:
    with file.path.open("rb") as stream:
        what = other_file(stream.read(64))
    if what == "a parquet file":
        message, hint = f"{file.name} is damaged or cut: it has no footer", "copy or write the file again"
        return SourceError(message, file.at, hint)
    message = f"{file.name} is not a parquet file" + (f", but {what}" if what else "")
    return SourceError(message, file.at, "write one with `df.to_parquet(path)`, or name the source that reads it")


@contextmanager
def _reading(file: TableFile) -> Iterator[None]:
    """Turn whatever a damaged file ends in into one error; pyarrow raises errors of many types."""
    try:
        yield
    except SourceError:
        raise
    except (Exception, MemoryError) as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        message = f"{file.name} cannot be read: {shorten(what)[1:-1]}"
        raise SourceError(message, file.at, "if the file is damaged, copy or write it again") from None
