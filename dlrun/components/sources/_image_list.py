"""Images whose paths a csv lists."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, SourceNote, Table, Texts
from dlrun.components.sources._images import AT, NAMED, ImageFiles, ImageSettings, refuse
from dlrun.errors import SpecPath
from dlrun.language.suggestions import did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]

COLUMN = ("source", "images", "column")


class ListedImages(Table):
    """The rows of a csv, of which one column has the paths of images."""

    value = "cell"
    at = AT

    def __init__(self, table: Table, root: Path, column: str, settings: ImageSettings, whole: bool):
        """Read the paths, and look at some of the images.

        Args:
            table: the csv.
            root: its folder, from which the paths start.
            column: the column that has them.
            settings: the source's.
            whole: whether all images will be decoded.
        """
        self.table, self.column, self.name = table, column, table.name
        if column not in table.fields:
            message = f"{table.name} has no column '{column}' of paths{did_you_mean(column, table.fields, {})}"
            raise SourceError(message, COLUMN, table.reading_hint() or f"`column` names it; {table.listed()}")
        table.read({}, {column: COLUMN})
        self._update()
        found = table.texts(column)
        paths = [text.strip() for text in found.distinct]
        wrong = _Paths(root, settings.outside).wrong(paths)
        first = [int((found.rows == number).argmax()) for number in list(wrong)[:NAMED]]
        lines = [f"{table.cell(column, row)}, {why}" for row, why in zip(first, wrong.values(), strict=False)]
        hint = "`outside: true` allows paths out of the folder" if OUT in wrong.values() else "mend or remove the rows"
        refuse(lines + [""] * (len(wrong) - len(lines)), f"{len(wrong):,} paths cannot be read", hint)
        self.images = ImageFiles(table.name, root, [paths[number] for number in found.rows.tolist()], settings, whole)
        self.fields = {**table.fields, column: self.images.field(column)}

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        if self.column in texts:
            message = f"the column '{self.column}' holds images, which are no classes"
            raise SourceError(message, texts[self.column], self.listed())
        rest = {name: at for name, at in numbers.items() if name != self.column}
        if rest or texts:
            self.table.read(rest, texts, lacking)
            self._update()
        if self.read_rows != len(self.images.paths):
            raise SourceError(f"{self.name} changed while it was read", AT)

    def numbers(self, names: Sequence[str]) -> Array | StoredArray:
        return self.images.cached().values if self.column in names else self.table.numbers(names)

    def digest(self, names: Sequence[str]) -> str | None:
        return self.images.cached().digest if list(names) == [self.column] else self.table.digest(names)

    def texts(self, name: str) -> Texts:
        return self.table.texts(name)

    def vocabulary(self, names: Sequence[str]) -> int | None:
        return None if self.column in names else self.table.vocabulary(names)

    def is_cheap(self, names: Sequence[str]) -> bool:
        return self.column not in names and self.table.is_cheap(names)

    def no_index(self, names: Sequence[str]) -> str:
        return self.table.no_index(names)

    def notes(self) -> tuple[SourceNote, ...]:
        return self.table.notes()

    def counts(self, name: str) -> Mapping[str, int] | None:
        return self.table.counts(name)

    def cell(self, name: str, row: int) -> str:
        return self.table.cell(name, row)

    def forget(self) -> None:
        self.images.forget()
        self.table.forget()

    def _update(self) -> None:
        """Take over what the csv says of itself once it was read."""
        table = self.table
        self.rows, self.read_rows, self.complete = table.rows, table.read_rows, table.complete
        self.own_splits, self.missing, self.no_missing = table.own_splits, table.missing, table.no_missing


OUT = "which is outside of the folder of the file"


class _Paths:
    """The paths of a csv."""

    def __init__(self, root: Path, outside: bool):
        self.root, self.outside = root.resolve(), outside
        self.folders: dict[str, bool] = {}
        """Whether a folder is outside of the root, where that was asked."""

    def wrong(self, paths: Sequence[str]) -> dict[int, str]:
        """Why a path cannot be read, by its place in the list."""
        return {number: why for number, path in enumerate(paths) if (why := self._why(path))}

    def _why(self, path: str) -> str:
        if not path or "\0" in path:
            return "and a path is expected"
        full = os.path.join(self.root, path)  # noqa: PTH118  # many paths
        if not self.outside and self._is_out(path, full):
            return OUT
        try:
            os.stat(full)  # noqa: PTH116
        except OSError as error:
            return f"which cannot be read: {error.strerror}"
        return ""

    def _is_out(self, path: str, full: str) -> bool:
        if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
            return True
        above = os.path.dirname(full)  # noqa: PTH120
        if above not in self.folders:
            self.folders[above] = self._leads_out(above)
        return self.folders[above] or (os.path.islink(full) and self._leads_out(full))  # noqa: PTH114

    def _leads_out(self, path: str) -> bool:
        return not Path(os.path.realpath(path)).is_relative_to(self.root)  # unlike `resolve`, never an error
