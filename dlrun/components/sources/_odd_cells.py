"""The cells of a csv that are no numbers, in one error; and those that are not kept as they are written, in notes."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from dlrun.components.sources import SourceError, SourceNote
from dlrun.components.sources._cells import EXACT, is_padded, is_rounded, sort_of, way_out
from dlrun.components.sources._header import FEATURES, TARGET
from dlrun.language.suggestions import shorten

EXAMPLES = 2
"""How many cells of a column an error shows."""
NAMED_COLUMNS = 10
"""How many columns an error names."""


class OddCells:
    """Cells that were found while the rows were read."""

    def __init__(self, name: str, columns: Sequence[str], features: Collection[int]):
        self.name, self.columns, self.features = name, columns, features
        self.wrong: dict[int, dict[str, int]] = {}
        """For each column with cells that are not numbers the first two different ones, with their lines."""
        self.rounded: dict[int, tuple[str, int]] = {}
        """For each column with whole numbers too large to be exact the first one, with its line."""
        self.padded: dict[int, tuple[str, int]] = {}
        """For each column with zeros in front of numbers the first cell, with its line."""

    def refuse(self, index: int, cell: str, line: int) -> None:
        """Note down a cell that is no finite number."""
        found = self.wrong.setdefault(index, {})
        if len(found) < EXAMPLES:
            found.setdefault(cell, line)

    def is_wrong(self, index: int) -> bool:
        """Whether a column has a cell that is no number."""
        return index in self.wrong

    def look(self, index: int, cell: str, value: float, line: int) -> None:
        """Note down a number that is not kept as it is written."""
        if abs(value) >= EXACT and index not in self.rounded and is_rounded(cell, value):
            self.rounded[index] = (cell, line)
        if index not in self.padded and is_padded(cell):
            self.padded[index] = (cell, line)

    def report(self) -> None:
        """Raise one error about all columns in which a cell is not a number.

        Raises:
            SourceError: there are such columns.
        """
        if not self.wrong:
            return
        features = {index: found for index, found in self.wrong.items() if index in self.features}
        at, wrong = (FEATURES, features) if features else (TARGET, self.wrong)
        texts, sorts = [], dict[str, dict[str, None]]()
        for index, found in sorted(wrong.items())[:NAMED_COLUMNS]:
            (cell, line), *others = found.items()
            what = "not a finite number" if _is_special(cell) else "not a number"
            texts.append(f"{self._place(index, cell, line)}, {what}" + "".join(map(_another, others)))
            for cell in found:
                sort = "the name again" if cell.strip() == self.columns[index] else sort_of(cell)
                sorts.setdefault(sort, {})[_short(cell)] = None
        if len(wrong) > NAMED_COLUMNS:
            texts.append(f"and {len(wrong) - NAMED_COLUMNS} more columns")
        hints = [_hint(sort, list(cells)[:EXAMPLES], at) for sort, cells in sorts.items()]
        raise SourceError("\n  ".join(texts), at, "; ".join(dict.fromkeys(hints)))

    def notes(self) -> tuple[SourceNote, ...]:
        """What is not kept as it is written."""
        return (*self._rounded(), *self._padded())

    def _rounded(self) -> Iterator[SourceNote]:
        for index, (cell, line) in _first(self.rounded):
            message = f"{self._place(index, cell, line)}, which is kept as {float(cell):.0f}"
            hint = "whole numbers are exact up to 2**53: subtract the smallest, or leave a column of ids out"
            yield SourceNote("rounded_numbers", message + _more(self.rounded), self._at(index), hint)

    def _padded(self) -> Iterator[SourceNote]:
        for index, (cell, line) in _first(self.padded):
            message = f"{self._place(index, cell, line)}, which is read as the number {float(cell):g}"
            hint = "an id or a code is no amount: leave the column out, or write a column of 0 and 1 for each code"
            yield SourceNote("leading_zeros", message + _more(self.padded), self._at(index), hint)

    def _at(self, index: int) -> tuple[str, ...]:
        return FEATURES if index in self.features else TARGET

    def _place(self, index: int, cell: str, line: int) -> str:
        return f"{self.name}:{line}: column '{self.columns[index]}' is '{_short(cell)}'"


def _first(found: dict[int, tuple[str, int]]) -> list[tuple[int, tuple[str, int]]]:
    """The first column, and its cell: many columns of one sort are one note."""
    return sorted(found.items())[:1]


def _more(found: dict[int, tuple[str, int]]) -> str:
    others = len(found) - 1
    return f"; {others} more column{'s have' if others > 1 else ' has'} such numbers" if others else ""


def _another(found: tuple[str, int]) -> str:
    cell, line = found
    return f"; line {line} has '{_short(cell)}'"


def _hint(sort: str, cells: list[str], at: tuple[str, ...]) -> str:
    if sort == "the name again":
        return "remove the line that repeats the first one"
    if sort == "text" and at == TARGET:
        return "use `loss: cross_entropy` for texts that are classes"
    return way_out(cells)


def _short(cell: str) -> str:
    return shorten(cell)[1:-1]


def _is_special(cell: str) -> bool:
    """Whether a cell is infinite, too large or not a number by name."""
    try:
        return not math.isfinite(float(cell))
    except ValueError:
        return False
