"""A large table as text, read by pyarrow: only where it reads what the strict reader would."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.sources._arrow import as_floats
from dlrun.components.sources._cells import EXACT
from dlrun.components.sources._files import TableFile
from dlrun.components.sources._filling import Filling
from dlrun.components.sources._layout import Layout
from dlrun.components.sources._streams import UnpackError, is_packed, unpacked

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 1 << 20
"""Bytes that are read at a time."""


class ArrowReader:
    """Reads files one after the other, numbers and texts."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Filling,
        lacking: Collection[str],
        marks: Collection[str],
        layout: Layout,
        size: int,
    ):
        """`marks` say that a value is missing; `size` is about how many bytes all files have."""
        self.columns, self.rows = columns, rows
        self.full = [index for index, name in enumerate(rows.names) if name not in lacking]
        self.marks = list(marks) if lacking else []
        self.layout, self.size = layout, size

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
        chosen = [raw[places[name]] for name in (*self.rows.names, *self.rows.texts)]
        as_text, count = pa.dictionary(pa.int32(), pa.string()), len(self.rows.names)
        types = {name: pa.float64() if index < count else as_text for index, name in enumerate(chosen)}
        convert = csv.ConvertOptions(
            include_columns=chosen,
            column_types=types,
            null_values=self.marks,
            decimal_point=self.layout.decimal,
        )
        options = self._options([] if self.layout.header else raw)
        for part in csv.open_csv(source, options, self._parsing(), convert):
            if not self.rows.rows and self.size > BLOCK:
                self.rows.expect(self.size * part.num_rows // BLOCK * 9 // 8)
            block = np.empty((part.num_rows, count))
            for index in range(count):
                block[:, index] = as_floats(part.column(index))
            with np.errstate(invalid="ignore"):
                if np.isnan(block[:, self.full]).any() or (np.abs(block) >= EXACT).any():
                    return False
            for index, (name, one) in enumerate(self.rows.texts.items(), count):
                if not one.add_cells(part.column(index), name):
                    return False
            self.rows.add(block)
        return True
