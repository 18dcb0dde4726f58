"""Shared by the sources of tables: the rows of files, and what cannot be used of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dlrun import cache
from dlrun.cache import Writer, report
from dlrun.components.sources import SourceError, SourceNote, Table, Texts
from dlrun.components.sources._extents import Extent, index_count, vocabulary
from dlrun.components.sources._files import WHOLE, CellRules, TableFile, cannot_be_read, rows_apart
from dlrun.components.sources._filling import (
    CachedNumbers,
    Filling,
    InCache,
    InMemory,
    Numbers,
    cached_texts,
    groups_of,
)
from dlrun.components.sources._odd_cells import DATE, IMPUTE, IMPUTE_TEXTS, NAMED_COLUMNS, ONE_HOT, STEPS, with_columns
from dlrun.errors import SpecPath
from dlrun.language.suggestions import shorten
from dlrun.stored import StoredArray, stamp

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

VERSION = 1
"""Of what the cache has of a table; another one reads the files again."""


class FileTable(Table):
    """The rows of files with the same columns, one file after the other.

    Those of large files are put into the cache while they are read, and found there by the next run.
    """

    def __init__(self, name: str, files: Sequence[TableFile], rules: CellRules):
        self.files, self.name, self.at, self.bad = files, name, files[0].at, rules.bad
        self.missing, self.no_missing = rules.missing, rules.no_missing
        self.rows = self.read_rows = 0
        self._columns: Numbers | CachedNumbers = Numbers((), None)
        self._texts: dict[str, Texts] = {}
        self._notes: tuple[SourceNote, ...] = ()
        self._together: Sequence[Sequence[str]] = ()
        self._can_cache = True

    def fill(
        self,
        rows: Filling,
        numbers: Mapping[str, SpecPath],
        texts: Mapping[str, SpecPath],
        lacking: Collection[str],
    ) -> tuple[SourceNote, ...]:
        """Read the files; see `Table.read`. Returns the notes."""
        raise NotImplementedError

    def bytes_of(self, names: Collection[str]) -> int:
        """About how many bytes are read for some columns."""
        raise NotImplementedError

    def lines_of(self, file: TableFile, before: int) -> Iterator[int]:
        """The line that each row of a file ends in, from 1 on; of a table with `has_lines`.

        Args:
            file: the file.
            before: how many rows other files have before its own.
        """
        raise NotImplementedError

    def lines(self, rows: Collection[int]) -> dict[int, int]:
        wanted, found, before = set(rows), dict[int, int](), 0
        for file in self.files:
            if len(found) == len(wanted):
                break
            numbered = zip(range(before, before + file.rows), self.lines_of(file, before), strict=False)
            found |= {row: line for row, line in numbered if row in wanted}
            before += file.rows
        return found

    def settings(self) -> dict[str, Any]:
        """All that decides what is read of a file, besides the columns."""
        return {"missing": self.missing}

    def lay_out(self, rows: Sequence[Sequence[str]]) -> None:
        self._together = rows

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        failure: tuple[SourceNote, ...] = ()
        if self.complete and self.stores({*numbers, *texts}):
            try:
                self._read_cached(numbers, texts, lacking)
                return
            except cache.CacheError as error:
                message = f"the rows of {self.name} are read into the memory: {error.message}"
                self._can_cache = False
                failure = (SourceNote("no_cache", message, self.at, error.hint),)
        rows = InMemory(list(numbers), list(texts))
        self._notes = (*failure, *self.fill(rows, numbers, texts, lacking))
        self._columns, self._texts = rows.result()

    def numbers(self, names: Sequence[str]) -> Array | StoredArray:
        return self._columns.columns(names)

    def texts(self, name: str) -> Texts:
        return self._texts[name]

    def stores(self, names: Collection[str]) -> bool:
        return self._can_cache and self.bytes_of(names) > WHOLE

    def digest(self, names: Sequence[str]) -> str | None:
        return self._columns.digest(names)

    def extent(self, names: Sequence[str]) -> Extent | None:
        return self._columns.extent(names)

    def vocabulary(self, names: Sequence[str]) -> int | None:
        if (found := self.extent(names)) is not None:
            return index_count(found)
        return vocabulary(self.numbers(names)[:])

    def no_index(self, names: Sequence[str]) -> str:
        import numpy as np

        values = self.numbers(names)[:]
        wrong = (values < 0) | (values != np.floor(values))
        if not wrong.any():
            return ""
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        return self.cell(names[int(column)], int(row))

    def notes(self) -> tuple[SourceNote, ...]:
        return self._notes

    def forget(self) -> None:
        self._columns, self._texts = Numbers((), None), {}

    def cell_that_was_read(self, name: str, row: int) -> str:
        """A value as errors show it, without its place: where there may be many bad rows, no file is read anew."""
        if name in self._texts:
            found = self._texts[name]
            value = found.distinct[int(found.codes[row : row + 1][0])]
        else:
            value = self.numbers([name])[row : row + 1].item()
        return f"column '{name}' is '{shorten(value)[1:-1] if isinstance(value, str) else value}'"

    def file_of(self, row: int) -> tuple[TableFile, int]:
        """The file that has a row, and the row's number in it, from 0 on."""
        for file in self.files:
            if row < file.rows:
                return file, row
            row -= file.rows
        raise IndexError(row)

    def finish(self, after: str = "") -> None:
        """Hold what was read to what every table needs; `after` what part of a file there should be rows.

        Raises:
            SourceError: a file changed meanwhile, or there are no rows.
        """
        for file in self.files:
            file.need_unchanged()
        self.own_splits = rows_apart(self.files)
        if self.may_be_empty:
            return
        if not any(file.rows for file in self.files if file.split is None):
            raise SourceError(f"{self.name} has no rows{after}", self.at)
        if empty := [file for file in self.files if not file.rows and file.split]:
            raise SourceError(f"{empty[0].name} has no rows{after}", empty[0].at)

    def _read_cached(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str]
    ) -> None:
        groups = groups_of(list(numbers), self._together)
        recipe = {
            "version": VERSION,
            "reader": type(self).__name__,
            **self.settings(),
            "numbers": list(numbers.items()),
            "texts": list(texts.items()),
            "lacking": sorted(lacking),
            "groups": groups,
            **({} if self.bad is None else {"bad": True}),
        }
        what, size = f"the rows of {self.name}", self.bytes_of({*numbers, *texts})

        def make(writer: Writer) -> dict[str, Any]:
            task = f"reading {self.name}"
            rows = InCache(list(numbers), list(texts), groups, writer, partial(report, task))
            report(task, 0)
            notes = self.fill(rows, numbers, texts, lacking)
            report(task, 1)
            return {
                **rows.known(),
                "rows": [file.rows for file in self.files],
                "bad": [] if self.bad is None else list(self.bad.reasons.items()),
                "notes": [(note.name, note.message, note.at, note.hint) for note in notes],
            }

        try:
            stamps = [(str(file.path), stamp(file.path.stat())) for file in self.files]
            entry = cache.entry(cache.key("table", recipe, stamps), what, size, make)
        except OSError as error:
            raise cannot_be_read(self.files[0], error) from None
        for file, count in zip(self.files, entry.known["rows"], strict=True):
            file.rows = count
        self.rows = self.read_rows = sum(entry.known["rows"])
        if self.bad is not None:
            for row, reason in entry.known["bad"]:
                self.bad.add(reason, row)
        self._notes = tuple(
            SourceNote(name, message, tuple(at), hint) for name, message, at, hint in entry.known["notes"]
        )
        self.entry = entry.name
        self._columns, self._texts = CachedNumbers(groups, entry), cached_texts(list(texts), entry)
        self.finish()


class Unusable:
    """Columns of typed values that cannot be used as numbers, all of them in one error."""

    def __init__(self, named_by: Mapping[str, SpecPath]):
        """`named_by` has, for each column, the path of the setting that names it."""
        self.named_by = named_by
        self.found: dict[str, tuple[str, tuple[str, ...], str]] = {}
        """For each column the message, the steps that make it usable, and another way out."""
        self.nested: set[str] = set()
        """Those that hold what no step changes."""

    def texts(self, name: str, message: str, lacking: bool, times: bool = False) -> None:
        """A column of texts, or of `times`; `lacking` says whether it lacks values too."""
        step = DATE if times else ONE_HOT
        steps = (IMPUTE_TEXTS, step) if lacking else (step,)
        self.found[name] = message, steps, "use `loss: cross_entropy` for texts that are classes"

    def lacks(self, name: str, message: str) -> None:
        """A column of numbers that lacks some."""
        self.found.setdefault(name, (message, (IMPUTE,), "fill in the value or remove the row"))

    def column(self, name: str, message: str, way_out: str) -> None:
        """A column of values that no step changes."""
        self.nested.add(name)
        self.found[name] = message, (), way_out

    def cell(self, name: str, message: str, way_out: str) -> None:
        """A value that no step changes, among others."""
        self.found.setdefault(name, (message, (), way_out))

    def others(self, names: Mapping[str, SpecPath]) -> dict[str, SpecPath]:
        """Those of some columns that are not among them."""
        return {name: at for name, at in names.items() if name not in self.found}

    def report(self) -> None:
        """Raise one error about the columns of one setting; features before targets.

        Raises:
            SourceError: there are such columns.
        """
        if not self.found:
            return
        at = min((self.named_by[name] for name in self.found), key=lambda path: (path[0] != "features", path))
        here = {name: found for name, found in self.found.items() if self.named_by[name] == at}
        messages = [message for message, _, _ in here.values()]
        if len(messages) > NAMED_COLUMNS:
            messages[NAMED_COLUMNS:] = [f"and {len(messages) - NAMED_COLUMNS} more columns"]
        feature = at[0] == "features"
        steps = {step: [name for name, (_, needed, _) in here.items() if step in needed] for step in STEPS}
        added = ", ".join(with_columns(step, names) for step, names in steps.items() if names)
        hints = [f"add to `preprocess`: {added}"] if feature and added else []
        hints += dict.fromkeys(way for _, needed, way in here.values() if not (feature and needed))
        if feature and any(name in self.nested for name in here):
            hints.append("list the columns to learn from in `features`")
        raise SourceError("\n  ".join(messages), at, "; or ".join(hints))
