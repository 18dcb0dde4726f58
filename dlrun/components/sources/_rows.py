"""Shared by the sources of tables: rows in memory, numbers side by side and texts by their codes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, SourceNote, Table, Texts, vocabulary
from dlrun.components.sources._files import TableFile, rows_apart
from dlrun.components.sources._odd_cells import DATE, IMPUTE, IMPUTE_TEXTS, NAMED_COLUMNS, ONE_HOT, STEPS, with_columns
from dlrun.errors import SpecPath

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class FileTable(Table):
    """The rows of files with the same columns, one file after the other."""

    def __init__(self, name: str, files: Sequence[TableFile], missing: tuple[str, ...], no_missing: str):
        self.files, self.name, self.at = files, name, files[0].at
        self.missing, self.no_missing = missing, no_missing
        self.rows = self.read_rows = 0
        self._numbers, self._texts = Numbers((), array("d")), dict[str, Texts]()
        self._notes: tuple[SourceNote, ...] = ()

    def numbers(self, names: Sequence[str]) -> Array:
        return self._numbers.columns(names)

    def texts(self, name: str) -> Texts:
        return self._texts[name]

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return vocabulary(self._numbers.columns(names))

    def no_index(self, names: Sequence[str]) -> str:
        import numpy as np

        values = self._numbers.columns(names)
        wrong = (values < 0) | (values != np.floor(values))
        if not wrong.any():
            return ""
        row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
        return self.cell(names[int(column)], int(row))

    def notes(self) -> tuple[SourceNote, ...]:
        return self._notes

    def forget(self) -> None:
        self._numbers, self._texts = Numbers((), array("d")), {}

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
        if not any(file.rows for file in self.files if file.split is None):
            raise SourceError(f"{self.name} has no rows{after}", self.at)
        if empty := [file for file in self.files if not file.rows and file.split]:
            raise SourceError(f"{empty[0].name} has no rows{after}", empty[0].at)
        self.own_splits = rows_apart(self.files)


class Numbers:
    """Columns of numbers side by side."""

    def __init__(self, names: tuple[str, ...], values: Array | array[float]):
        """`values`: (rows, columns), or the same row after row."""
        self.places, self.values = {name: index for index, name in enumerate(names)}, values

    def columns(self, names: Sequence[str]) -> Array:
        """Some of the columns, (rows, columns) float64; no copy where they lie side by side."""
        import numpy as np

        table = np.frombuffer(self.values) if isinstance(self.values, array) else self.values
        table = table.reshape(-1, max(len(self.places), 1))
        places = [self.places[name] for name in names]
        if places == list(range(places[0], places[0] + len(places))):
            return table[:, places[0] : places[0] + len(places)]
        return table[:, places]


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
