from __future__ import annotations

from pathlib import Path

from dlrun.components.sources import Table
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._files import TableSource, table_name
from dlrun.components.sources._parquet_table import ParquetTable


class Parquet(TableSource):
    """A table as columns with types: numbers, texts, dates and times.

    Whole numbers, fractions, decimals and booleans (1 and 0) are numbers; the step `date` makes numbers of dates and
    times. A null has no value, and neither has a NaN. Columns of lists or records cannot be used.
    The target depends on the loss: one column of classes; for binary_cross_entropy, one column with two labels or
    several columns of 0 and 1; or any columns of numbers.

    Shape: (columns,), the features in the order of `features`, or of the file
    Reference: Apache Parquet, file format, 2013.
    Example: parquet: wine.parquet
    """

    synonyms = ("arrow", "pq")

    def open(self, folder: Path, whole: bool = True, bad: BadRows | None = None) -> Table:
        files = self.files(folder)
        return ParquetTable(table_name(self.path, files), files, self.rules(bad), whole)
