"""Shared by the sources of tables as text: the settings, and what they are read as."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from dlrun.components.sources import Table
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._files import TableSource, table_name
from dlrun.components.sources._layout import Decimal, Encoding, Layout, Thousands
from dlrun.components.sources._table import TextTable


class TextSource(TableSource):
    """A table as text: one line for each row."""

    header: bool = True
    """Whether the first line names the columns."""
    names: tuple[str, ...] | None = Field(None, min_length=1)
    """The names of the columns where the first line does not name them; without them, they are `column_1`, `column_2`
    and so on."""
    decimal: Decimal = "."
    """What stands between the whole part of a number and its fraction."""
    thousands: Thousands | None = None
    """What stands between thousands, in numbers that are written so."""
    encoding: Encoding = "utf-8"
    """How characters are stored as bytes; the names are Python's."""

    @model_validator(mode="after")
    def _form(self) -> Self:
        if self.names is not None and self.header:
            raise ValueError("`names` are for a file whose first line is a row: add `header: false`")
        if wrong := [name for name in self.names or () if not name.strip() or name != name.strip()]:
            raise ValueError(f"a name has a character, and no space at its ends; received '{wrong[0]}'")
        if twice := [name for name, count in Counter(self.names or ()).items() if count > 1]:
            raise ValueError(f"`names` has '{twice[0]}' twice")
        if self.decimal == self.thousands:
            raise ValueError(f"`decimal` and `thousands` are both '{self.decimal}'")
        return self

    def separator(self) -> str:
        """The character between two cells."""
        raise NotImplementedError

    def open(self, folder: Path, whole: bool = True, bad: BadRows | None = None) -> Table:
        files = self.files(folder)
        layout = Layout(self.separator(), self.header, self.names or (), self.decimal, self.thousands, self.encoding)
        return TextTable(table_name(self.path, files), files, layout, self.rules(bad), whole)
