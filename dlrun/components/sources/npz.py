from __future__ import annotations

import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, Source, SourceError, SourceNote, Table, Texts, resolve
from dlrun.components.sources._cells import EXACT, MISSING
from dlrun.errors import SpecPath
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 1 << 22
"""How many numbers are judged at a time."""
FILE = ("source", "npz", "path")
MOST_VALUES = 1 << 22
"""An array of more numbers is not read before it is needed."""
KINDS = {
    "O": "Python objects",
    "c": "complex numbers",
    "V": "records",
    "M": "dates",
    "m": "time differences",
}
"""numpy's kinds of type that are neither numbers nor texts."""
WAYS_OUT = {
    "O": "save it as numbers, `x.astype(float)`, or texts, `x.astype(str)`",
    "c": "save the real and the imaginary part as two numbers",
    "V": "save each field as an array of its own",
    "M": "save numbers, such as days since the first date: `(x - x.min()) / np.timedelta64(1, 'D')`",
    "m": "save numbers: `x / np.timedelta64(1, 's')`",
}
"""What to save in place of them."""


class Npz(Source):
    """Arrays that numpy saved: `features` and `target` name some of them; the first axis is the rows.

    Whole numbers stay whole and can be indices for an embedding. No code in the file is run: arrays of Python objects
    are refused. The target depends on the loss: one class for each row, a whole number or a text; for
    binary_cross_entropy, two labels, or several values of 0 and 1; or numbers.

    Shape: the axes of the features after the first; an array with one axis has one number in each row, (1,)
    Reference: Harris et al., Array programming with NumPy, 2020.
    Example: npz: digits.npz
    """

    synonyms = ("numpy",)

    path: FilePath
    """The file, written by `numpy.savez` or `savez_compressed`; a relative path starts from the folder of the file that
    has it."""
    missing: tuple[str, ...] = MISSING
    """Texts that say that a value is missing, in any case; they cannot be classes. An empty text says it always."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        return _Arrays(resolve(self.path, folder, FILE), self.missing, f"npz: {{path: {self.path}, missing: []}}")

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


class _Arrays(Table):
    """The arrays of a file; an array is read when it is asked for."""

    noun = "array"
    at = FILE

    def __init__(self, file: Path, missing: tuple[str, ...], no_missing: str):
        self.file, self.name, self.missing, self.no_missing = file, file.name, missing, no_missing
        fields: dict[str, Field] = {}
        self.lengths: dict[str, int | None] = {}
        self.damaged: dict[str, SourceError] = {}
        self.named_by: dict[str, SpecPath] = {}
        self.rows = self.read_rows = 0
        self._texts: dict[str, Texts] = {}
        self.lacking: Collection[str] = ()
        for name in _names(file):
            try:
                shape, dtype = _header(file, name)
            except SourceError as error:
                self.damaged[name], fields[name] = error, Field(name, "other")
            else:
                fields[name], self.lengths[name] = _field(name, shape, dtype), shape[0] if shape else None
        self.fields = fields

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        self.lacking = lacking
        self.named_by = {**texts, **numbers}
        names = list(dict.fromkeys([*numbers, *texts]))
        for name in names:
            at = self.named_by[name]
            field, rows = self.fields[name], self.lengths.get(name)
            if name in self.damaged:
                raise self.damaged[name]
            if field.type == "other":
                more = ", but features must be numbers" if at[0] == "features" else ""
                raise SourceError(f"the array '{name}' holds {field.what}{more}", at, field.way_out)
            if field.type == "text" and name in numbers:
                if at[0] == "features":
                    message = f"the array '{name}' holds texts, but features must be numbers"
                    raise SourceError(message, at, f"add to `preprocess`: `one_hot: {{columns: {name}}}`")
                hint = "save numbers, `y.astype(float)`; use `loss: cross_entropy` for texts that are classes"
                raise SourceError(f"the array '{name}' holds texts, but the loss needs numbers", at, hint)
            if rows is None:
                raise SourceError(f"the array '{name}' is a single value without rows", at)
            if not numel((rows, *field.shape)):
                raise SourceError(f"the array '{name}' is empty: its shape is {show((rows, *field.shape))}", at)
            first = names[0]
            self.rows = self.read_rows = self.lengths[first] or 0
            if rows != self.rows:
                message = f"'{first}' has {self.rows} rows, but '{name}' has {rows}"
                raise SourceError(message, at, "each row needs a value in every array")
        for name in numbers:
            if not self.fields[name].whole and numel((self.rows, *self.fields[name].shape)) <= MOST_VALUES:
                self._finite(name)

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        arrays = [self._finite(name) for name in names]
        if len(arrays) == 1:
            return arrays[0].reshape(-1, 1) if arrays[0].ndim == 1 else arrays[0]
        return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)

    def texts(self, name: str) -> Texts:
        if name not in self._texts:
            self._texts[name] = self._read_texts(name)
        return self._texts[name]

    def forget(self) -> None:
        self._texts.clear()

    def _read_texts(self, name: str) -> Texts:
        import numpy as np

        values = _read(self.file, name).reshape(-1)
        at = self.named_by[name]
        if values.dtype.kind == "S":
            try:
                values = np.char.decode(values, "utf-8")
            except UnicodeDecodeError:
                hint = "save texts, not bytes: `np.char.decode(y, 'latin-1')`, if that is how they are encoded"
                raise SourceError(f"the texts of the array '{name}' are not UTF-8", at, hint) from None
        if values.dtype.kind == "f":
            _need_finite(values, name, at)
            fractions = values[values != np.round(values)]
            if fractions.size:
                message = f"the array '{name}' holds {fractions[0]}, but a class is a whole number or a text"
                raise SourceError(message, at, "use `loss: mse` to predict numbers")
            values = values.astype(np.int64)
        distinct, codes = np.unique(values, return_inverse=True)
        return Texts(tuple(map(str, distinct.tolist())), codes.reshape(-1).astype(np.int32))

    def vocabulary(self, names: Sequence[str]) -> int | None:
        import numpy as np

        arrays = [_read(self.file, name) for name in names if self.fields[name].whole]
        if len(arrays) < len(names) or any(array.min() < 0 for array in arrays):
            return None
        return max(int(np.max(array)) for array in arrays) + 1

    def no_index(self, names: Sequence[str]) -> str:
        return next(filter(None, (_no_index(_read(self.file, name), name) for name in names)), "")

    def notes(self) -> tuple[SourceNote, ...]:
        named = self.named_by.items()
        return tuple(note for name, at in named if self.fields[name].whole for note in self._rounded(name, at))

    def _rounded(self, name: str, at: SpecPath) -> Iterator[SourceNote]:
        if self.fields[name].number_bytes == 8:
            yield from _rounded(_read(self.file, name), name, at)

    def cell(self, name: str, row: int) -> str:
        import numpy as np

        values = _read(self.file, name)
        where = ", ".join(str(int(index)) for index in np.unravel_index(row, values.shape))
        return f"the array '{name}' holds '{values.reshape(-1)[row]}' at [{where}]"

    def listed(self) -> str:
        names = list(self.fields)
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return "arrays in the file: " + ", ".join(names[:20]) + more

    def _finite(self, name: str) -> Array:
        """An array of numbers, in the machine's order of bytes."""
        import numpy as np

        values = _read(self.file, name)
        if values.shape != (self.rows, *self.fields[name].shape):
            now, then = show(values.shape), show((self.rows, *self.fields[name].shape))
            raise SourceError(f"the data changed while it was read: {now} numbers, and {then} before", ("source",))
        if values.dtype.kind == "b":
            return values.astype(np.float32)
        if values.dtype.itemsize > 8:
            values = values.astype(np.float64)
        else:  # float16 too stays as it is: its precision is what a step judges by
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if values.dtype.kind == "f":
            _need_finite(values, name, self.named_by[name], name in self.lacking)
        return values


def _field(name: str, shape: Shape, dtype: np.dtype[Any]) -> Field:
    row = shape[1:]
    if dtype.kind in "US":
        return Field(name, "text", row, what="texts")
    if dtype.kind not in "fiub":
        what = KINDS.get(dtype.kind, f"values of type {dtype}")
        return Field(name, "other", row, what=what, way_out=WAYS_OUT.get(dtype.kind, ""))
    width = 4 if dtype.kind == "b" else min(dtype.itemsize, 8)
    return Field(name, "number", row, width, whole=dtype.kind in "iu")


def _names(file: Path) -> list[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
    except Exception:  # a damaged archive ends in errors of many types
        hint = "write one with `numpy.savez(path, x=…, y=…)`"
        raise SourceError(f"{file.name} is not an npz file, or is damaged", FILE, hint) from None
    names = [member.removesuffix(".npy") for member in members if member.endswith(".npy")]
    if not names:
        raise SourceError(f"{file.name} holds no arrays", FILE)
    return names


def _header(file: Path, name: str) -> tuple[Shape, np.dtype[Any]]:
    """The shape and type of an array, read without its values.

    Raises:
        SourceError: the header is damaged, or has other than the bytes of the values after it.
    """
    from numpy.lib import format as npy

    with _reading(file, name), zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
        # Version 3 differs only in the field names of records, and records are refused.
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of headers of Python 2
            shape, _, dtype = read(member)
        size = archive.getinfo(f"{name}.npy").file_size - member.tell()
        if any(type(count) is not int or count < 0 for count in shape):
            raise ValueError(f"the shape {shape} is not possible")
        if not dtype.hasobject and numel(shape) * dtype.itemsize != size:
            raise ValueError(f"{show(shape)} values of type {dtype} do not take the {size} bytes that are there")
    return shape, dtype


def _read(file: Path, name: str) -> Array:
    import numpy as np

    _header(file, name)
    with _reading(file, name), np.load(file, allow_pickle=False) as archive:
        return archive[name]


@contextmanager
def _reading(file: Path, name: str) -> Iterator[None]:
    """Turn whatever a damaged file ends in into one error; numpy and zipfile raise errors of many types."""
    try:
        yield
    except Exception as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        raise SourceError(f"the array '{name}' of {file.name} cannot be read: {shorten(what)[1:-1]}", FILE) from None


def _rounded(numbers: Array, name: str, at: SpecPath) -> Iterator[SourceNote]:
    """A note about whole numbers that float64 does not keep."""
    import numpy as np

    if numbers.dtype.kind not in "iu" or numbers.dtype.itemsize < 8:
        return
    large = numbers[(numbers >= int(EXACT)) | (numbers <= -int(EXACT))]
    lost = [value for value in np.unique(large).tolist() if int(float(value)) != value]
    if lost:
        message = f"the array '{name}' holds {lost[0]}, which is kept as {float(lost[0]):.0f}"
        hint = "whole numbers are exact up to 2**53: subtract the smallest"
        yield SourceNote("rounded_numbers", message, at, hint)


def _no_index(numbers: Array, name: str) -> str:
    """The first value that is no index, a whole number from 0 on, with its place; '' where all are indices."""
    import numpy as np

    wrong = (numbers < 0) | (numbers != np.floor(numbers)) if numbers.dtype.kind == "f" else numbers < 0
    if not wrong.any():
        return ""
    place = tuple(int(index) for index in np.unravel_index(int(wrong.argmax()), wrong.shape))
    return f"the array '{name}' holds {numbers[place]} at [{', '.join(map(str, place))}]"


def _need_finite(values: Array, name: str, at: SpecPath, lacking: bool = False) -> None:
    import numpy as np

    step = max(1, BLOCK // max(1, numel(values.shape[1:])))
    for start in range(0, len(values), step):
        block = values[start : start + step]
        finite = ~np.isinf(block) if lacking else np.isfinite(block)
        if finite.all():
            continue
        row, *rest = (int(index) for index in np.argwhere(~finite)[0])
        place = (start + row, *rest)
        where = ", ".join(map(str, place))
        message = f"the array '{name}' holds {values[place]} at [{where}]; numbers must be finite"
        raise SourceError(message, at, "fill in the value, or remove the row from every array")
