"""The values of an array: of which type they are, and which are finite, indices, or classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, SourceError, SourceNote, Texts
from dlrun.components.sources._cells import EXACT
from dlrun.errors import SpecPath
from dlrun.shapes import numel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ENCODERS = {"text": "one_hot", "time": "date"}
"""The step that makes numbers of texts, and of times."""
BLOCK = 1 << 22
"""How many numbers are judged at a time."""
MOST_VALUES = 1 << 22
"""An array of more numbers is not read before it is needed."""
DEFLATE = 1032
"""A compressed byte holds at most so many bytes; zlib, Technical Details."""


def refuse_type(field: Field, noun: str, at: SpecPath, as_number: bool, way_out: str = "") -> None:
    """Refuse a field that cannot be what the setting at `at` needs; `way_out` is said of a target before the rest.

    Raises:
        SourceError: it cannot be used at all, or numbers are needed and it holds none.
    """
    feature, holds = at[0] == "features", f"the {noun} '{field.name}' holds {field.what}"
    if field.type == "other":
        raise SourceError(holds + ", but features must be numbers" * feature, at, field.way_out)
    if as_number and field.type in ENCODERS:
        if feature:
            step = f"`{ENCODERS[field.type]}: {{columns: {field.name}}}`"
            raise SourceError(f"{holds}, but features must be numbers", at, f"add to `preprocess`: {step}")
        hint = f"{way_out}use `loss: cross_entropy` for texts that are classes"
        raise SourceError(f"{holds}, but the loss needs numbers", at, hint)


def side_by_side(arrays: Sequence[Array]) -> Array:
    """One array with its axes, and a single number in each row as (rows, 1); of several, the numbers of each row."""
    import numpy as np

    if len(arrays) == 1:
        return arrays[0].reshape(-1, 1) if arrays[0].ndim == 1 else arrays[0]
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def texts_of(values: Array, name: str, at: SpecPath, classes: tuple[str, ...] = ()) -> Texts:
    """An array's values as texts, which classes can be.

    Args:
        values: texts or whole numbers, one in each row.
        name: the array's.
        at: the setting that names it.
        classes: the names of the numbers 0, 1, …, where they have names.

    Raises:
        SourceError: a value is neither a text nor a whole number.
    """
    import numpy as np

    values = np.asarray(values).reshape(-1)
    if values.dtype.kind == "M":
        days = np.datetime_data(values.dtype)[0] in ("Y", "M", "W")  # such a time begins with a day
        values = values.astype("datetime64[D]" if days else values.dtype).astype(str)
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            hint = "save texts, not bytes: `np.char.decode(y, 'latin-1')`, if that is how they are encoded"
            raise SourceError(f"the texts of the array '{name}' are not UTF-8", at, hint) from None
    if values.dtype.kind == "f":
        need_finite(values, name, at)
        fractions = values[values != np.round(values)]
        if fractions.size:
            message = f"the array '{name}' holds {fractions[0]}, but a class is a whole number or a text"
            raise SourceError(message, at, "use `loss: mse` to predict numbers")
        values = values.astype(np.int64)
    distinct, codes = np.unique(values, return_inverse=True)
    words = distinct.tolist()
    if classes and not 0 <= words[0] <= words[-1] < len(classes):
        wrong = words[0] if words[0] < 0 else words[-1]
        place = int((values == wrong).argmax())
        message = f"the array '{name}' holds {wrong} at [{place}], but the classes are 0 to {len(classes) - 1}"
        raise SourceError(message, at)
    return Texts(tuple(classes[word] if classes else str(word) for word in words), codes.reshape(-1).astype(np.int32))


def rounded(blocks: Iterable[Array], ends: tuple[int, int], name: str, at: SpecPath) -> Iterator[SourceNote]:
    """A note about whole numbers that float64 does not keep; `ends` are the least and the greatest of them."""
    import numpy as np

    exact = int(EXACT)
    if -exact < ends[0] and ends[1] < exact:
        return
    for block in blocks:
        large = block[(block >= exact) | (block <= -exact)]
        lost = [value for value in np.unique(large).tolist() if int(float(value)) != value]
        if lost:
            message = f"the array '{name}' holds {lost[0]}, which is kept as {float(lost[0]):.0f}"
            hint = "whole numbers are exact up to 2**53: subtract the smallest"
            yield SourceNote("rounded_numbers", message, at, hint)
            return


def no_index(numbers: Array, name: str) -> str:
    """The first value that is no index, a whole number from 0 on, with its place; '' where all are indices."""
    import numpy as np

    wrong = (numbers < 0) | (numbers != np.floor(numbers)) if numbers.dtype.kind == "f" else numbers < 0
    if not wrong.any():
        return ""
    place = tuple(int(index) for index in np.unravel_index(int(wrong.argmax()), wrong.shape))
    return f"the array '{name}' holds {numbers[place]} at [{', '.join(map(str, place))}]"


def need_finite(values: Array, name: str, at: SpecPath, lacking: bool = False) -> None:
    """Refuse numbers that are not finite; with `lacking`, those that are infinite.

    Raises:
        SourceError: there is one.
    """
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
