"""The cells of a csv that are no numbers, in one error; and those that are not kept as they are written, in notes."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from dlrun.components.sources import SourceError, SourceNote
from dlrun.components.sources._bad_rows import BadRows
from dlrun.components.sources._cells import EXACT, is_missing, is_number, is_padded, is_rounded, sort_of, way_out
from dlrun.components.sources._layout import Layout
from dlrun.errors import SpecPath
from dlrun.language.suggestions import shorten
from dlrun.language.times import read_time

EXAMPLES = 2
"""How many cells of a column an error shows."""
SENTENCE = 4
"""With as many words in each example, a column is free text, not categories."""
NAMED_COLUMNS = 10
"""How many columns an error names."""
STEPS = IMPUTE, IMPUTE_TEXTS, ONE_HOT, DATE, TOKENIZE = (
    "`impute: {{columns: {}}}`",
    "`impute: {{columns: {}, with: most_frequent}}`",
    "`one_hot: {{columns: {}}}`",
    "`date: {{columns: {}}}`",
    "`tokenize: {{columns: {}}}`",
)
"""Encoders for columns that are not numbers, as a spec has them, in the order in which they work."""
PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""A name that needs no quotes in YAML."""


class OddCells:
    """Cells that were found while the rows were read."""

    def __init__(
        self,
        columns: Sequence[str],
        named_by: Mapping[int, SpecPath],
        missing: Collection[str],
        layout: Layout,
        bad: BadRows | None = None,
    ):
        """`named_by` has, for each column of numbers, the path of the setting that names it; `bad` takes the rows with
        a cell that is no number, which is then no error."""
        self.columns, self.named_by, self.marks, self.layout, self.bad = columns, named_by, missing, layout, bad
        self.wrong: dict[int, dict[str, str]] = {}
        """For each column with cells that are not numbers the first two different ones, with their places."""
        self.texts: dict[int, int] = {}
        """For each column how many cells are neither numbers nor missing."""
        self.missing: dict[int, int] = {}
        """For each column how many cells are missing where each row needs a value."""
        self.rounded: dict[int, tuple[str, str]] = {}
        """For each column with whole numbers too large to be exact the first one, with its place."""
        self.padded: dict[int, tuple[str, str]] = {}
        """For each column with zeros in front of numbers the first cell, with its place."""

    def refuse(self, index: int, cell: str, place: str) -> None:
        """Note down a cell that is no finite number."""
        if self.bad is not None:
            self.bad.add(f"column '{self.columns[index]}' is '{_short(cell)}', {_what(cell)}")
            return
        counts = self.missing if is_missing(cell.strip(), self.marks) else self.texts
        counts[index] = counts.get(index, 0) + 1
        found = self.wrong.setdefault(index, {})
        if len(found) < EXAMPLES:
            found.setdefault(cell, place)

    def look(self, index: int, cell: str, value: float, place: str) -> None:
        """Note down a number that is not kept as it is written."""
        if abs(value) >= EXACT and index not in self.rounded and is_rounded(cell, value):
            self.rounded[index] = (cell, place)
        if index not in self.padded and is_padded(cell):
            self.padded[index] = (cell, place)

    def report(self, rows: int) -> None:
        """Raise one error about all columns in which a cell of the rows is not a number; features before targets.

        Raises:
            SourceError: there are such columns.
        """
        if not self.wrong:
            return
        at = min((self.named_by[index] for index in self.wrong), key=lambda path: (path[0] != "features", path))
        wrong = {index: found for index, found in self.wrong.items() if self.named_by[index] == at}
        texts, sorts, steps = [], dict[str, dict[str, None]](), dict[str, list[str]]()
        for index, found in sorted(wrong.items())[:NAMED_COLUMNS]:
            (cell, place), *others = found.items()
            more = "".join(_another(other, there, place) for other, there in others)
            texts.append(f"{self._place(index, cell, place)}, {_what(cell)}{more}")
            chosen = self._steps(index, rows) if at[0] == "features" else []
            for step in chosen:
                steps.setdefault(step, []).append(self.columns[index])
            for cell in found:
                sort = "the name again" if cell.strip() == self.columns[index] else sort_of(cell)
                if is_number(cell) and not self.layout.plain(cell):
                    sort = "another form"
                if not chosen or (sort != "text" and _sort_of(cell) != "time"):
                    sorts.setdefault(sort, {})[_short(cell)] = None
        if len(wrong) > NAMED_COLUMNS:
            texts.append(f"and {len(wrong) - NAMED_COLUMNS} more columns")
        added = ", ".join(with_columns(step, steps[step]) for step in STEPS if step in steps)
        hints = [f"add to `preprocess`: {added}"] if steps else []
        hints += [self._hint(sort, list(cells)[:EXAMPLES], at) for sort, cells in sorts.items()]
        raise SourceError("\n  ".join(texts), at, "; or ".join(hints) if steps else "; ".join(dict.fromkeys(hints)))

    def notes(self) -> tuple[SourceNote, ...]:
        """What is not kept as it is written."""
        return (*self._rounded(), *self._padded())

    def _rounded(self) -> Iterator[SourceNote]:
        for index, (cell, place) in _first(self.rounded):
            where = self._place(index, cell, place)
            yield rounded_note(where, float(cell), len(self.rounded), self.named_by[index])

    def _padded(self) -> Iterator[SourceNote]:
        for index, (cell, place) in _first(self.padded):
            message = f"{self._place(index, cell, place)}, which is read as the number {float(cell):g}"
            hint = "an id or a code is no amount: leave the column out, or write a column of 0 and 1 for each code"
            yield SourceNote("leading_zeros", message + _more_columns(len(self.padded)), self.named_by[index], hint)

    def _steps(self, index: int, rows: int) -> list[str]:
        """The encoders for a column of features; none where its wrong cells need another way out."""
        if index not in self.texts:
            return [IMPUTE]
        mostly = 2 * self.texts[index] > rows - self.missing.get(index, 0)
        sorts = {_sort_of(cell) for cell in self.wrong[index]} - {"missing"}
        if not mostly or not (sorts <= {"text", "boolean"} or "time" in sorts):
            return []
        free = all(len(cell.split()) >= SENTENCE for cell in self.wrong[index] if sort_of(cell) != "missing")
        step = DATE if "time" in sorts else TOKENIZE if free else ONE_HOT
        return [IMPUTE_TEXTS, step] if index in self.missing else [step]

    def _hint(self, sort: str, cells: list[str], at: SpecPath) -> str:
        if sort == "the name again":
            return "remove the line that repeats the first one"
        if sort == "text" and at[0] == "target":
            return "use `loss: cross_entropy` for texts that are classes"
        if sort == "another form":
            values = " and ".join(f"'{cell}'" for cell in cells)
            form = self.layout.number_form()
            return f"the settings say that numbers are written as {form}: write {values} so, or change the settings"
        if sort == "decimal comma" and self.layout.decimal == ".":
            return f'{way_out(cells)}, or set `decimal: ","`'
        if sort == "date" and at[0] == "features":
            what = " and ".join(f"'{cell}'" for cell in cells)
            return f"{what} is a date or a time: write it as 2026-03-31 or 2026-03-31 14:30, for the step `date`"
        return way_out(cells)

    def _place(self, index: int, cell: str, place: str) -> str:
        return f"{place}: column '{self.columns[index]}' is '{_short(cell)}'"


def _first(found: dict[int, tuple[str, str]]) -> list[tuple[int, tuple[str, str]]]:
    """The first column, and its cell: many columns of one sort are one note."""
    return sorted(found.items())[:1]


def rounded_note(where: str, kept: float, columns: int, at: SpecPath) -> SourceNote:
    """The note about a whole number that is kept as another one, the first of those in `columns` columns."""
    hint = "whole numbers are exact up to 2**53: subtract the smallest, or leave a column of ids out"
    return SourceNote("rounded_numbers", f"{where}, which is kept as {kept:.0f}{_more_columns(columns)}", at, hint)


def _more_columns(columns: int) -> str:
    others = columns - 1
    return f"; {others} more column{'s have' if others > 1 else ' has'} such numbers" if others else ""


def _another(cell: str, place: str, first: str) -> str:
    """A second cell, after one that was found at `first`."""
    (file, line), before = place.rsplit(":", 1), first.rsplit(":", 1)[0]
    return f"; {f'line {line}' if file == before else place} has '{_short(cell)}'"


def _sort_of(cell: str) -> str:
    """What a cell is, in a word; `time` where the step `date` reads it."""
    return sort_of(cell) if read_time(cell.strip()) is None else "time"


def with_columns(step: str, names: list[str]) -> str:
    """A step for columns, as a spec has it."""
    written = [name if PLAIN_NAME.fullmatch(name) else f'"{name}"' for name in names]
    return step.format(written[0] if len(written) == 1 else f"[{', '.join(written)}]")


def _short(cell: str) -> str:
    return shorten(cell)[1:-1]


def _what(cell: str) -> str:
    """What is wrong with a cell; some are infinite, too large or not a number by name."""
    try:
        return "not a number" if math.isfinite(float(cell)) else "not a finite number"
    except ValueError:
        return "not a number"
