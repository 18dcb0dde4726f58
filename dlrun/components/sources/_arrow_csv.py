"""A large table as text, read by pyarrow: only where it reads what the strict reader would."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.sources._arrow import as_floats
from dlrun.components.sources._cells import EXACT
from dlrun.components.sources._collected import Collected
from dlrun.components.sources._files import TableFile
from dlrun.components.sources._layout import Layout
from dlrun.components.sources._streams import UnpackError, is_packed, unpacked

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 1 << 20
"""Bytes that are read at a time."""


class ArrowReader:
    """Reads files one after the other into one table of numbers and some columns of texts."""

    def __init__(
        self,
        columns: Sequence[str],
        numbers: Sequence[str],
        texts: Sequence[str],
        lacking: Collection[str],
        marks: Collection[str],
        layout: Layout,
        size: int,
    ):
        """`marks` say that a value is missing; `size` is about how many bytes all files have."""
        import numpy as np

        self.columns, self.numbers, self.names_of_texts = columns, numbers, texts
        self.full = [index for index, name in enumerate(numbers) if name not in lacking]
        self.marks = list(marks) if lacking else []
        self.layout, self.size = layout, size
        self.rows = 0
        self.table = np.empty((0, len(numbers)))
        self.texts = [Collected() for _ in texts]

    def read(self, file: TableFile) -> bool:
        """Add a file's rows; False where a cell needs the strict reader, or other columns are seen."""
        import pyarrow as pa

        try:
            with unpacked(file.path) as first:
                raw = self._names(first)
                if raw is None:
                    return False
                with unpacked(file.path) as stream:
                    return self._read(stream if is_packed(file.path) else file.path, raw)
        except (pa.ArrowException, UnicodeError, UnpackError, OSError):
            return False

    def finish(self) -> None:
        """Give back the memory that no row needs."""
        if self.numbers:
            self.table.resize((self.rows, len(self.numbers)), refcheck=False)

    def _names(self, stream: io.RawIOBase) -> list[str] | None:
        """The names of the columns as pyarrow needs them; None where it sees others than the strict reader."""
        if not self.layout.header:
            return list(self.columns)
        from pyarrow import csv

        raw = csv.open_csv(stream, self._options([]), self._parsing()).schema.names
        return raw if [name.strip() for name in raw] == list(self.columns) else None

    def _options(self, names: Sequence[str]) -> Any:
        from pyarrow import csv

        encoding = "utf8" if self.layout.encoding == "utf-8" else self.layout.encoding
        return csv.ReadOptions(block_size=BLOCK, column_names=list(names), encoding=encoding)

    def _parsing(self) -> Any:
        from pyarrow import csv

        return csv.ParseOptions(delimiter=self.layout.delimiter, newlines_in_values=True)

    def _read(self, source: Any, raw: Sequence[str]) -> bool:
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv

        places = {name: index for index, name in enumerate(self.columns)}
        chosen = [raw[places[name]] for name in (*self.numbers, *self.names_of_texts)]
        as_text, count = pa.dictionary(pa.int32(), pa.string()), len(self.numbers)
        types = {name: pa.float64() if index < count else as_text for index, name in enumerate(chosen)}
        convert = csv.ConvertOptions(
            include_columns=chosen,
            column_types=types,
            null_values=self.marks,
            decimal_point=self.layout.decimal,
        )
        options = self._options([] if self.layout.header else raw)
        for part in csv.open_csv(source, options, self._parsing(), convert):
            end = self.rows + part.num_rows
            if end > len(self.table) and count:
                self._grow(max(end + end // 4, self.size * part.num_rows // BLOCK * 9 // 8 if not self.rows else 0))
            block = self.table[self.rows : end]
            for index in range(count):
                block[:, index] = as_floats(part.column(index))
            with np.errstate(invalid="ignore"):
                if np.isnan(block[:, self.full]).any() or (np.abs(block) >= EXACT).any():
                    return False
            for index, one in enumerate(self.texts, count):
                if not one.add_cells(part.column(index), self.names_of_texts[index - count]):
                    return False
            self.rows = end
        return True

    def _grow(self, rows: int) -> None:
        """Make room for so many rows; a page of memory that no row needs is never touched."""
        import numpy as np

        table = np.empty((rows, len(self.numbers)))
        table[: self.rows] = self.table[: self.rows]
        self.table = table
