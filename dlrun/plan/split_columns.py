"""The columns of the data that divide its rows: groups, times, and the name of the split."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, Table
from dlrun.components.sources._cells import is_missing, is_number
from dlrun.language.split import Split
from dlrun.language.times import read_time
from dlrun.plan.split import Marks
from dlrun.plan.split_draws import Codes
from dlrun.plan.split_sizes import SPLITS

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def read_marks(table: Table, split: Split, as_texts: Collection[str]) -> Marks:
    """What the columns of the split, and the source itself, say of the rows that were read.

    Args:
        table: the data, read.
        split: it names the columns.
        as_texts: those that were read as texts; the others are numbers.

    Raises:
        SourceError: a row has no value there, or one that means nothing there.
    """
    groups = None if split.group is None else _groups(table, split.group, split.group in as_texts)
    times = None if split.time is None else _times(table, split.time, split.time in as_texts)
    apart = _own(table) if split.column is None else _parts(table, split.column)
    _refuse_both(table, split, list(apart))
    return Marks(groups, times, apart)


def _groups(table: Table, name: str, as_text: bool) -> Codes:
    import numpy as np

    if as_text:
        texts = table.texts(name)
        _need_texts(table, name, "group")
        return Codes(texts.rows.astype(np.int64), len(texts.distinct), _what(table, name), "groups", "group")
    distinct, rows = np.unique(_need_numbers(table, name, "group"), return_inverse=True)
    return Codes(rows.reshape(-1), len(distinct), _what(table, name), "groups", "group")


def _times(table: Table, name: str, as_text: bool) -> Codes:
    """Times as texts, or numbers, in order."""
    import numpy as np

    if as_text:
        texts = table.texts(name)
        _need_texts(table, name, "time")
        as_numbers = all(map(is_number, texts.distinct))
        values = [float(text) if as_numbers else read_time(text.strip()) for text in texts.distinct]
        if None in values:
            row = int((texts.rows == values.index(None)).argmax())
            hint = "write each time as ISO 8601 does, such as 2026-03-01 or 2026-03-01T14:30:05, or as a number"
            raise SourceError(f"{table.cell(name, row)}; a time is expected", ("split", "time"), hint)
        numbers = np.array(values, np.float64)[texts.rows]
    else:
        numbers = _need_numbers(table, name, "time")
    distinct, rows = np.unique(numbers, return_inverse=True)
    return Codes(rows.reshape(-1), len(distinct), _what(table, name), "times", "time")


def _parts(table: Table, name: str) -> dict[str, Array]:
    """The validation and test rows, as the column says."""
    import numpy as np

    texts, at = table.texts(name), ("split", "column")
    words = [text.strip() for text in texts.distinct]
    for number, word in enumerate(words):
        if word not in SPLITS:
            row = int((texts.rows == number).argmax())
            raise SourceError(f"{table.cell(name, row)}; train, validation or test is expected", at)
    if "train" not in words:
        raise SourceError(f"{_what(table, name)} has no row with `train`: none is left for training", at)
    found = {}
    for part in ("validation", "test"):
        rows = np.flatnonzero(np.isin(texts.rows, [number for number, word in enumerate(words) if word == part]))
        if len(rows):
            found[part] = rows
    return found


def _own(table: Table) -> dict[str, Array]:
    import numpy as np

    return {name: np.arange(rows.start, rows.stop) for name, rows in table.own_splits.items()}


def _refuse_both(table: Table, split: Split, apart: list[str]) -> None:
    """Refuse a size for a split whose rows are kept apart without one, and two ways to keep rows apart."""
    if split.column is not None and table.own_splits:
        message = f"{table.name} keeps {' and '.join(table.own_splits)} rows apart itself"
        raise SourceError(message, ("split", "column"), "remove `column`")
    if table.in_order:
        return
    who = table.name if split.column is None else _what(table, split.column)
    for name in apart:
        if getattr(split, name) is not None:
            message = f"`{name}` cannot be given: {who} says which rows are {name} rows"
            raise SourceError(message, ("split", name), f"remove `{name}`")
    if split.folds is not None and apart:
        message = f"`folds` cannot be given: {who} says which rows are {' and '.join(apart)} rows"
        raise SourceError(message, ("split", "folds"), "remove `folds`")


def _need_texts(table: Table, name: str, setting: str) -> None:
    """Refuse a row without a text."""
    texts = table.texts(name)
    for number, text in enumerate(texts.distinct):
        if is_missing(text.strip(), table.missing):
            _refuse_missing(table, name, int((texts.rows == number).argmax()), setting)


def _need_numbers(table: Table, name: str, setting: str) -> Array:
    """(N,) the numbers of a column; a row without one is refused."""
    import numpy as np

    values = table.numbers([name])[:].reshape(-1)
    lacking = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    if lacking.any():
        _refuse_missing(table, name, int(lacking.argmax()), setting)
    return values


def _refuse_missing(table: Table, name: str, row: int, setting: str) -> None:
    message = f"{table.cell(name, row)}; the split needs a {setting} in every row"
    raise SourceError(message, ("split", setting), f"fill in the {table.value}, or remove the row")


def _what(table: Table, name: str) -> str:
    return f"the {table.noun} '{name}'"
