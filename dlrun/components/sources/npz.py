from __future__ import annotations

import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, Source, SourceError, Table, Texts, resolve
from dlrun.components.sources._cells import MISSING
from dlrun.errors import SpecPath
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = ("source", "npz", "path")
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
TEXT_WAY_OUT = "save numbers, such as 0 and 1 for each text"


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
        return _Arrays(resolve(self.path, folder, FILE), self.missing)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


class _Arrays(Table):
    """The arrays of a file; an array is read when it is asked for."""

    noun = "array"
    at = FILE

    def __init__(self, file: Path, missing: Collection[str]):
        self.file, self.name, self.missing = file, file.name, missing
        fields: dict[str, Field] = {}
        self.lengths: dict[str, int | None] = {}
        self.damaged: dict[str, SourceError] = {}
        self.named_by: dict[str, SpecPath] = {}
        self.rows = self.read_rows = 0
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
                    raise SourceError(message, at, TEXT_WAY_OUT)
                raise SourceError(f"the array '{name}' holds texts, but the loss needs numbers", at)
            if rows is None:
                raise SourceError(f"the array '{name}' is a single value without rows", at)
            if not numel((rows, *field.shape)):
                raise SourceError(f"the array '{name}' is empty: its shape is {show((rows, *field.shape))}", at)
            first = names[0]
            self.rows = self.read_rows = self.lengths[first] or 0
            if rows != self.rows:
                message = f"'{first}' has {self.rows} rows, but '{name}' has {rows}"
                raise SourceError(message, at, "each row needs a value in every array")

    def numbers(self, names: Sequence[str]) -> Array:
        import numpy as np

        arrays = [self._finite(name) for name in names]
        if len(arrays) == 1:
            return arrays[0].reshape(-1, 1) if arrays[0].ndim == 1 else arrays[0]
        return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)

    def texts(self, name: str) -> Texts:
        import numpy as np

        values = _read(self.file, name).reshape(-1)
        at = self.named_by[name]
        if values.dtype.kind == "S":
            try:
                values = np.char.decode(values, "utf-8")
            except UnicodeDecodeError:
                raise SourceError(f"the texts of the array '{name}' are not UTF-8", at) from None
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

    def cell(self, name: str, row: int) -> str:
        return f"the array '{name}' holds '{_read(self.file, name).reshape(-1)[row]}' at [{row}]"

    def listed(self) -> str:
        names = list(self.fields)
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return "arrays in the file: " + ", ".join(names[:20]) + more

    def _finite(self, name: str) -> Array:
        """An array of numbers: float64 where it is wider than float32, float32, or whole numbers as they are."""
        import numpy as np

        values = _read(self.file, name)
        if values.dtype.kind not in "fb":
            return values.astype(values.dtype.newbyteorder("="), copy=False)
        wide = values.dtype.kind == "f" and values.dtype.itemsize > 4
        values = values.astype(np.float64 if wide else np.float32, copy=False)
        _need_finite(values, name, self.named_by[name], name in self.lacking)
        return values


def _field(name: str, shape: Shape, dtype: np.dtype[Any]) -> Field:
    row = shape[1:]
    if dtype.kind in "US":
        return Field(name, "text", row, what="texts")
    if dtype.kind not in "fiub":
        what = KINDS.get(dtype.kind, f"values of type {dtype}")
        return Field(name, "other", row, what=what, way_out=WAYS_OUT.get(dtype.kind, ""))
    width = max(dtype.itemsize, 4) if dtype.kind in "fb" else dtype.itemsize
    return Field(name, "number", row, min(width, 8), whole=dtype.kind in "iu")


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


def _need_finite(values: Array, name: str, at: SpecPath, lacking: bool = False) -> None:
    import numpy as np

    finite = ~np.isinf(values) if lacking else np.isfinite(values)
    if not finite.all():
        place = tuple(int(index) for index in np.argwhere(~finite)[0])
        where = ", ".join(map(str, place))
        raise SourceError(f"the array '{name}' holds {values[place]} at [{where}]; numbers must be finite", at)
