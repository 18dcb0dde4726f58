"""A table whose fields are named arrays: shapes and types are known from headers, values are read when asked for.

A format says what arrays there are, each an `Unread`; all else is the same for every format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, SourceError, SourceNote, SplitName, Table, Texts
from dlrun.components.sources._array_values import (
    BLOCK,
    MOST_VALUES,
    need_finite,
    no_index,
    refuse_type,
    rounded,
    side_by_side,
    texts_of,
)
from dlrun.errors import SpecPath
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]

KINDS = {
    "O": "Python objects",
    "c": "complex numbers",
    "V": "records",
    "m": "time differences",
}
"""numpy's kinds of type that are neither numbers nor texts."""
WAYS_OUT = {
    "O": "save it as numbers, `x.astype(float)`, or texts, `x.astype(str)`",
    "c": "save the real and the imaginary part as two numbers",
    "V": "save each field as an array of its own",
    "m": "save numbers: `x / np.timedelta64(1, 's')`",
}
"""What to save in place of them."""


class Unread:
    """An array that is stored somewhere, unread."""

    shape: Shape
    """Its first axis is the rows; () for a single value."""
    dtype: np.dtype[Any]
    """The type of the values."""
    splits: Mapping[SplitName, range] = {}
    """The rows that the source keeps apart."""
    is_in_file: bool = False
    """Whether its rows lie in the file one after the other, as numbers of the machine: see `can_stay`."""
    classes: tuple[str, ...] = ()
    """The names of the classes 0, 1, …, where the values are classes with names."""

    def read(self) -> Array:
        """All values.

        Raises:
            SourceError: the file is damaged.
        """
        raise NotImplementedError

    def in_file(self) -> StoredArray:
        """The array in its file, with `is_in_file`.

        Raises:
            SourceError: the file is damaged.
        """
        raise NotImplementedError

    def blocks(self) -> Iterator[Array]:
        """All values in pieces of any shape and in any order, without holding all of them where that is possible."""
        values = self.read()
        step = max(1, BLOCK // max(1, numel(values.shape[1:])))
        for start in range(0, len(values), step):
            yield values[start : start + step]


class Arrays(Table):
    """Named arrays; an array is read when it is asked for."""

    noun = "array"

    def __init__(
        self,
        name: str,
        at: SpecPath,
        unread: Mapping[str, Unread | SourceError],
        own_target: str | None = None,
        own_features: tuple[str, ...] | None = None,
        missing: tuple[str, ...] = (),
        no_missing: str = "",
    ):
        self.name, self.at, self.unread, self.missing, self.no_missing = name, at, unread, missing, no_missing
        self.own_target, self.own_features = own_target, own_features
        self.named_by: dict[str, SpecPath] = {}
        self.rows = self.read_rows = 0
        self._texts: dict[str, Texts] = {}
        self._ranges: dict[str, tuple[int, int]] = {}
        self.lacking: Collection[str] = ()
        self.fields = {name: _field(name, array) for name, array in unread.items()}

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        self.lacking = lacking
        self.named_by = {**texts, **numbers}
        names = list(dict.fromkeys([*numbers, *texts]))
        for name in names:
            array, at = self._intact(name), self.named_by[name]
            refuse_type(self.fields[name], self.noun, at, name in numbers, "save numbers, `y.astype(float)`; ")
            if not array.shape:
                raise SourceError(f"the array '{name}' is a single value without rows", at)
            if not numel(array.shape[1:] if self.may_be_empty else array.shape):
                raise SourceError(f"the array '{name}' is empty: its shape is {show(array.shape)}", at)
            first = self._intact(names[0])
            self.rows, self.own_splits = first.shape[0], first.splits
            self.read_rows = self.rows
            if array.shape[0] != self.rows or dict(array.splits) != dict(first.splits):
                message = f"'{names[0]}' has {_rows(first)}, but '{name}' has {_rows(array)}"
                raise SourceError(message, at, "each row needs a value in every array")
        for name in numbers:
            array = self._intact(name)
            if array.dtype.kind not in "iu" and numel(array.shape) <= MOST_VALUES:
                self._numbers(name)

    def numbers(self, names: Sequence[str]) -> Array | StoredArray:
        if len(names) == 1 and self.fields[names[0]].stored:
            found = self._intact(names[0]).in_file()
            self._refuse_change(names[0], found.shape)
            return found if len(found.shape) > 1 else found.reshaped((1,))
        return side_by_side([self._numbers(name) for name in names])

    def texts(self, name: str) -> Texts:
        if name not in self._texts:
            array = self._intact(name)
            self._texts[name] = texts_of(array.read(), name, self.named_by[name], array.classes)
        return self._texts[name]

    def forget(self) -> None:
        self._texts.clear()

    def vocabulary(self, names: Sequence[str]) -> int | None:
        if not all(self.fields[name].whole for name in names):
            return None
        ranges = [self._range(name) for name in names]
        return None if any(low < 0 for low, _ in ranges) else max(high for _, high in ranges) + 1

    def no_index(self, names: Sequence[str]) -> str:
        return next(filter(None, (no_index(self._intact(name).read(), name) for name in names)), "")

    def notes(self) -> tuple[SourceNote, ...]:
        wide = [name for name in self.named_by if self.fields[name].whole and self.fields[name].number_bytes == 8]
        return tuple(
            note
            for name in wide
            for note in rounded(self._intact(name).blocks(), self._range(name), name, self.named_by[name])
        )

    def cell(self, name: str, row: int) -> str:
        import numpy as np

        values = self._intact(name).read()
        where = ", ".join(str(int(index)) for index in np.unravel_index(row, values.shape))
        return f"the array '{name}' holds '{values.reshape(-1)[row]}' at [{where}]"

    def listed(self) -> str:
        names = list(self.fields)
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return f"arrays of {self.name}: " + ", ".join(names[:20]) + more

    def _intact(self, name: str) -> Unread:
        array = self.unread[name]
        if isinstance(array, SourceError):
            raise array
        return array

    def _range(self, name: str) -> tuple[int, int]:
        """The least and the greatest of whole numbers; read no further than the ends of their type."""
        import numpy as np

        if name not in self._ranges:
            array = self._intact(name)
            ends = np.iinfo(array.dtype)
            low, high = ends.max, ends.min
            for block in array.blocks():
                low, high = min(low, int(block.min())), max(high, int(block.max()))
                if high == ends.max and (array.dtype.kind == "u" or low < 0):
                    break
            self._ranges[name] = low, high
        return self._ranges[name]

    def _numbers(self, name: str) -> Array:
        """An array of numbers, in the machine's order of bytes."""
        import numpy as np

        values = self._intact(name).read()
        self._refuse_change(name, values.shape)
        if values.dtype.kind == "b":
            return values.astype(np.float32)
        if values.dtype.itemsize > 8:
            values = np.asarray(values).astype(np.float64)
        elif not values.dtype.isnative:  # float16 stays as it is: its precision is what a step judges by
            values = np.asarray(values).astype(values.dtype.newbyteorder("="))
        if values.dtype.kind == "f":
            need_finite(values, name, self.named_by[name], name in self.lacking)
        return values

    def _refuse_change(self, name: str, shape: Shape) -> None:
        if shape != (expected := (self.rows, *self.fields[name].shape)):
            now, then = show(shape), show(expected)
            raise SourceError(f"the data changed while it was read: {now} numbers, and {then} before", ("source",))


@contextmanager
def reading(name: str, file: str, at: SpecPath) -> Iterator[None]:
    """Turn whatever a damaged file ends in into one error; numpy and zipfile raise errors of many types."""
    try:
        yield
    except Exception as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        raise SourceError(f"the array '{name}' of {file} cannot be read: {shorten(what, 120)[1:-1]}", at) from None


def can_stay(shape: Shape, dtype: np.dtype[Any]) -> bool:
    """Whether an array in C order, uncompressed, can be used from its file."""
    return len(shape) > 0 and dtype.kind in "fiu" and dtype.isnative and dtype.itemsize <= 8


def _rows(array: Unread) -> str:
    if not array.splits:
        return f"{array.shape[0]} rows"
    apart = ", ".join(f"{len(rows)} for {split}" for split, rows in array.splits.items())
    train = array.shape[0] - sum(map(len, array.splits.values()))
    return f"{train} rows for training, {apart}"


def _field(name: str, array: Unread | SourceError) -> Field:
    if isinstance(array, SourceError):
        return Field(name, "other")
    row, dtype = array.shape[1:], array.dtype
    if dtype.kind in "US":
        return Field(name, "text", row, what="texts")
    if dtype.kind == "M":
        return Field(name, "time", row, what="times")
    if dtype.kind not in "fiub":
        what = KINDS.get(dtype.kind, f"values of type {dtype}")
        return Field(name, "other", row, what=what, way_out=WAYS_OUT.get(dtype.kind, ""))
    width = 4 if dtype.kind == "b" else min(dtype.itemsize, 8)
    return Field(name, "number", row, width, whole=dtype.kind in "iu", stored=array.is_in_file)
