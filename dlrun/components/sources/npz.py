from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import (
    MOST_VALUES,
    Request,
    Rows,
    Source,
    SourceError,
    SourceInfo,
    SourceNote,
    class_labels,
    few,
    resolve,
)
from dlrun.components.sources._cells import EXACT, MISSING, is_missing
from dlrun.components.sources._labels import judge, need_labels
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import did_you_mean, shorten
from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 1 << 22
"""How many numbers are judged at a time."""
FILE = ("source", "npz", "path")
FEATURES, TARGET = ("features",), ("target",)
KINDS = {
    "O": "Python objects",
    "c": "complex numbers",
    "U": "texts",
    "S": "texts",
    "V": "records",
    "M": "dates",
    "m": "time differences",
}
"""numpy's kinds of type that are not numbers."""
WAYS_OUT = {
    "O": "save it as numbers, `x.astype(float)`, or texts, `x.astype(str)`",
    "c": "save the real and the imaginary part as two numbers",
    "U": "save numbers, such as 0 and 1 for each text",
    "S": "save numbers, such as 0 and 1 for each text",
    "V": "save each field as an array of its own",
    "M": "save numbers, such as days since the first date: `(x - x.min()) / np.timedelta64(1, 'D')`",
    "m": "save numbers: `x / np.timedelta64(1, 's')`",
}
"""What to save in place of them."""


class Npz(Source):
    """Arrays that numpy saved: `features` and `target` name two of them; the first axis is the rows.

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

    def describe(self, request: Request) -> SourceInfo:
        file, features, target = self._find(request)
        shape, dtype = _header(file, features)
        vocabulary, no_index, notes = None, "", ()
        if dtype.kind in "iu" or (dtype.kind == "f" and numel(shape) <= MOST_VALUES):
            numbers = _read(file, features)
            if dtype.kind == "f":
                _need_finite(numbers, features, FEATURES)
            no_index, notes = _no_index(numbers, features), tuple(_rounded(numbers, features, FEATURES))
            vocabulary = int(numbers.max()) + 1 if dtype.kind in "iu" and not no_index else None
        info = SourceInfo(
            rows=shape[0],
            shape=shape[1:] or (1,),
            target_shape=(),
            labels=None,
            vocabulary=vocabulary,
            no_index=no_index,
            notes=notes,
            number_bytes=4 if dtype.kind == "b" else min(dtype.itemsize, 8),
        )
        if request.wants == "nothing":
            return info
        values = _read_target(file, target, request)
        if not _labelled(values, request):
            info = replace(info, target_shape=_row_shape(values))
            return replace(info, values=few(values.reshape(-1)), notes=(*info.notes, *_rounded(values, target, TARGET)))
        _refuse_missing(values, target, self)
        labels = _labels(values, target, request)
        judged = judge(labels, shape[0], f"the array '{target}'", TARGET)
        counts, classes = _class_numbers(values, labels)
        return replace(info, labels=labels, counts=counts, classes=classes, notes=(*info.notes, *judged))

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path

    def load(self, request: Request) -> Rows:
        import numpy as np

        file, features, target = self._find(request)
        rows = _read(file, features)
        if rows.dtype.kind == "b":
            rows = rows.astype(np.float32)
        elif rows.dtype.itemsize > 8:
            rows = rows.astype(np.float64)
        else:  # float16 too stays as it is: its precision is what a step judges by
            rows = rows.astype(rows.dtype.newbyteorder("="), copy=False)
        if rows.dtype.kind == "f":
            _need_finite(rows, features, FEATURES)
        answers = np.zeros(len(rows)) if request.wants == "nothing" else _read_target(file, target, request)
        return Rows(rows.reshape(-1, 1) if rows.ndim == 1 else rows, answers)

    def _find(self, request: Request) -> tuple[Path, str, str]:
        """The file and the names of both arrays, after their headers are checked."""
        file = resolve(self.path, request.folder, FILE)
        known = _names(file)
        features = _named(file, known, request.features, "features")
        target = features if request.wants == "nothing" else _named(file, known, request.target, "target")
        (shape, dtype), (target_shape, target_dtype) = _header(file, features), _header(file, target)
        if dtype.kind not in "fiub":
            what = KINDS.get(dtype.kind, f"values of type {dtype}")
            hint = WAYS_OUT.get(dtype.kind, "")
            raise SourceError(f"the array '{features}' holds {what}, but features must be numbers", FEATURES, hint)
        if target_dtype.kind not in "fiubUS":
            what = KINDS.get(target_dtype.kind, f"values of type {target_dtype}")
            raise SourceError(f"the array '{target}' holds {what}", TARGET, WAYS_OUT.get(target_dtype.kind, ""))
        for name, axes, at in ((features, shape, FEATURES), (target, target_shape, TARGET)):
            if not axes:
                raise SourceError(f"the array '{name}' is a single value without rows", at)
            if not numel(axes):
                raise SourceError(f"the array '{name}' is empty: its shape is {show(axes)}", at)
        if shape[0] != target_shape[0]:
            message = f"'{features}' has {shape[0]} rows, but '{target}' has {target_shape[0]}"
            raise SourceError(message, TARGET, "each row needs a target")
        return file, features, target


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


def _named(file: Path, known: list[str], names: tuple[str, ...] | None, setting: str) -> str:
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    hint = "arrays in the file: " + ", ".join(known[:20]) + more
    if names is None:
        raise SourceError(f"npz needs `{setting}`, the name of an array", (setting,), hint)
    name, *others = names
    if others:
        raise SourceError(f"`{setting}` must be one array of the file; {len(names)} are listed", (setting,), hint)
    if name not in known:
        meant = did_you_mean(name, known, {})
        raise SourceError(f"{file.name} has no array '{name}'{meant}", (setting,), hint)
    return name


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


def _read_target(file: Path, name: str, request: Request) -> Array:
    """The target as the loss needs it: labels (N,), or numbers (N, ...)."""
    import numpy as np

    values = _read(file, name)
    if numel(values.shape[1:]) == 1:
        values = values.reshape(-1)
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            hint = "save texts, not bytes: `np.char.decode(y, 'latin-1')`, if that is how they are encoded"
            raise SourceError(f"the texts of the array '{name}' are not UTF-8", TARGET, hint) from None
    if values.dtype.kind == "f":
        _need_finite(values, name, TARGET)
    if _labelled(values, request):
        return _whole(values, name)
    if request.wants == "classes":
        message = f"the array '{name}' has {show(values.shape[1:])} values in each row, but a class is one value"
        raise SourceError(message, TARGET, "`argmax(axis=1)` turns columns of 0 and 1 into class numbers")
    if values.dtype.kind == "U":
        hint = "save numbers, `y.astype(float)`; use `loss: cross_entropy` for texts that are classes"
        raise SourceError(f"the array '{name}' holds texts, but the loss needs numbers", TARGET, hint)
    if request.wants == "binary" and not np.isin(values, (0, 1)).all():
        wrong = values[~np.isin(values, (0, 1))].flat[0]
        raise SourceError(f"the array '{name}' holds {wrong}; several binary values must be 0 or 1", TARGET)
    return values


def _labelled(values: Array, request: Request) -> bool:
    return request.wants in ("classes", "binary") and values.ndim == 1


def _whole(values: Array, name: str) -> Array:
    import numpy as np

    if values.dtype.kind != "f":
        return values
    fractions = values[values != np.round(values)]
    if fractions.size:
        message = f"the array '{name}' holds {fractions[0]}, but a class is a whole number or a text"
        raise SourceError(message, TARGET, "use `loss: mse` to predict numbers")
    return values.astype(np.int64)


def _labels(values: Array, name: str, request: Request) -> tuple[str, ...]:
    import numpy as np

    labels = class_labels(np.unique(values).tolist())
    return need_labels(labels, request.wants, f"the array '{name}'", TARGET)


def _refuse_missing(values: Array, name: str, source: Npz) -> None:
    if values.dtype.kind != "U":
        return
    import numpy as np

    for text, row in zip(*np.unique(values, return_index=True), strict=True):
        if is_missing(str(text).strip(), source.missing):
            message = f"the array '{name}' holds '{text}' at [{row}]; a class is expected"
            hint = "remove the row"
            if text.strip():
                hint += f"; if it is a class, write `npz: {{path: {source.path}, missing: []}}`"
            raise SourceError(message, TARGET, hint)


def _class_numbers(values: Array, labels: tuple[str, ...]) -> tuple[tuple[int, ...], Sequence[int]]:
    """How many rows each label has, and each row's class number."""
    import numpy as np

    numbers = {label: number for number, label in enumerate(labels)}
    distinct, inverse = np.unique(values, return_inverse=True)
    classes = np.array([numbers[str(value)] for value in distinct.tolist()], np.int32)[inverse.reshape(-1)]
    return tuple(np.bincount(classes, minlength=len(labels)).tolist()), classes  # type: ignore[return-value]


def _rounded(numbers: Array, name: str, at: tuple[str, ...]) -> Iterator[SourceNote]:
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


def _row_shape(values: Array) -> Shape:
    return tuple(values.shape[1:])


def _need_finite(values: Array, name: str, at: tuple[str, ...]) -> None:
    import numpy as np

    step = max(1, BLOCK // max(1, numel(values.shape[1:])))
    for start in range(0, len(values), step):
        finite = np.isfinite(values[start : start + step])
        if finite.all():
            continue
        row, *rest = (int(index) for index in np.argwhere(~finite)[0])
        place = (start + row, *rest)
        where = ", ".join(map(str, place))
        message = f"the array '{name}' holds {values[place]} at [{where}]; numbers must be finite"
        raise SourceError(message, at, "fill in the value, or remove the row from every array")
