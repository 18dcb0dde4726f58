"""Shared by the sources of tables: the rows that cannot be used, where they are left out and are no error."""

from __future__ import annotations

from dlrun.components.sources import SourceError
from dlrun.errors import SpecPath

MOST = 100_000
"""How many rows may be bad: with more, it is the file that is wrong."""


class BadRows:
    """Rows that cannot be used, each with the first reason that is found."""

    def __init__(self, at: SpecPath):
        """`at` is the path below `data` of the setting that names the data."""
        self.reasons: dict[int, str] = {}
        """By the number of the row, from 0 on."""
        self.row = 0
        """The row that is read."""
        self.at = at

    def add(self, reason: str, row: int | None = None) -> None:
        """Note down a row; without a number, the one that is read.

        Raises:
            SourceError: there are too many.
        """
        number = self.row if row is None else row
        self.reasons.setdefault(number, reason)
        if len(self.reasons) > MOST:
            first = min(self.reasons)
            message = f"more than {MOST:,} rows cannot be used; the first one is row {first}: {self.reasons[first]}"
            raise SourceError(message, self.at)
