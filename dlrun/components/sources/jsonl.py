from __future__ import annotations

from pathlib import Path

from dlrun.components.sources import Table
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._files import TableSource, table_name
from dlrun.components.sources._json_table import JsonTable


class Jsonl(TableSource):
    """A table as JSON lines: each line is one row, an object with the columns as keys, in UTF-8.

    Numbers, `true` and `false` (1 and 0) are numbers, texts are texts. A key that is absent or `null` has no value.
    Lists and objects as values cannot be used. A file whose name ends in `.gz` or `.zst` is unpacked while it is read.
    The target depends on the loss: one column of classes; for binary_cross_entropy, one column with two labels or
    several columns of 0 and 1; or any columns of numbers.

    Shape: (columns,), the features in the order of `features`, or of the keys
    Reference: Bray, The JavaScript Object Notation (JSON) data interchange format, RFC 8259, 2017; one a line.
    Example: jsonl: wine.jsonl
    """

    synonyms = ("json", "ndjson", "json_lines", "jsonlines")

    def open(self, folder: Path, whole: bool = True, bad: BadRows | None = None) -> Table:
        files = self.files(folder)
        return JsonTable(table_name(self.path, files), files, self.rules(bad), whole)
