"""The encoders of an input at work: what each learns of the training rows, and the columns of numbers that come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned
from dlrun.components.preprocess._categories import CategoryEncoder
from dlrun.components.sources import SourceError, Table
from dlrun.components.sources._cells import is_missing
from dlrun.language.field_type import FieldType
from dlrun.plan.encoders import Steps, is_named, suits
from dlrun.plan.fields import Chosen
from dlrun.plan.own_inputs import own_inputs
from dlrun.plan.unseen import Unseen, UnseenCounts

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FROM_DATA = -1
"""In place of the index of a step, for what the data has."""
Pair = tuple[Column, "NumberColumn"]
"""A column, and where it comes from."""
Typed = tuple["NumberColumn", FieldType]
"""The origin of a column, and what it holds."""


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """One number of a row, as the first map, or the network, takes it."""

    name: str
    field: str
    """The field of the data that it comes from."""
    made_by: int
    """The index of the step that made it, or FROM_DATA."""
    changed_by: int
    """The index of the last encoder that changed it, or FROM_DATA."""
    indices: int | None = None
    """How many indices, from 0 on, it can have, where an encoder made indices."""


@dataclass(frozen=True, slots=True)
class EncodedStep:
    """What an encoder learned."""

    index: int
    step: Encoder
    learned: dict[str, Learned]
    """By the name of the column, as it was before the step."""
    width: int
    """How many columns there are after it."""
    unseen: dict[str, Unseen] = field(default_factory=dict)
    """By the name of the column, where rows that are not for training have categories that no training row has."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the encoders of an input learned, by which any rows are encoded."""

    columns: tuple[NumberColumn, ...]
    """Those that come out."""
    steps: tuple[EncodedStep, ...]
    texts: dict[tuple[int, str], frozenset[str]] = field(default_factory=dict, repr=False)
    """For each step of categories, and each column of it, the texts that a training row has."""


class Fields:
    """The fields of an input, from which columns of some rows are made."""

    def __init__(self, table: Table, chosen: Chosen, texts: Collection[str]):
        """`texts` are the fields that were read as texts."""
        import numpy as np

        self.table, self.names = table, chosen.fields
        self._texts = {name: table.texts(name) for name in chosen.fields if name in texts}
        self._absent = {
            name: np.array([is_missing(text.strip(), table.missing) for text in found.distinct], bool)
            for name, found in self._texts.items()
        }
        self._numbers = {name: table.numbers([name]) for name in chosen.fields if name not in texts}

    def columns(self, name: str, rows: slice | Array) -> Iterator[Pair]:
        """The columns that a field has: of its texts only those that are in these rows."""
        import numpy as np

        if name in self._texts:
            found = self._texts[name]
            codes = found.codes[rows]
            column = Column(name, None, found.distinct, np.where(self._absent[name][codes], -1, codes))
            yield _of_texts_there(column), NumberColumn(name, name, FROM_DATA, FROM_DATA)
            return
        values = self._numbers[name][rows]
        for index in range(values.shape[1]):
            label = name if values.shape[1] == 1 else f"{name}[{index}]"
            column = Column(label, values[:, index].astype(np.float64, copy=False))
            yield column, NumberColumn(label, name, FROM_DATA, FROM_DATA)


def learn(fields: Fields, encoders: Steps, train: Array) -> Encoding:
    """Learn every encoder from the training rows, one field after the other.

    Raises:
        SourceError: a step has nothing to do or to learn from, or a column is still of texts after the last one.
    """
    learned: dict[int, dict[str, Learned]] = {index: {} for index, _ in encoders}
    stages: list[list[Typed]] = [[] for _ in range(len(encoders) + 1)]
    known: dict[tuple[int, str], frozenset[str]] = {}
    for name in fields.names:
        columns = list(fields.columns(name, train))
        stages[0] += _typed(columns, fields.table)
        for place, (index, step) in enumerate(encoders):
            last = not any(_may_change(later, name) for _, later in encoders[place + 1 :])
            made: list[Pair] = []
            for column, origin in columns:
                if not _takes(step, column, origin, fields.table):
                    made.append((column, origin))
                    continue
                try:
                    learned[index][column.name] = found = step.learn(column)
                    encoded = step.encode(_head(column) if last else column, found)
                except EncodeError as error:
                    raise _refused(fields.table, step, index, origin, error, train) from None
                if isinstance(step, CategoryEncoder):
                    known[index, column.name] = frozenset(column.texts)
                made += [(one, _origin(step, index, found, column, origin, one)) for one in encoded]
            columns = made
            stages[place + 1] += _typed(columns, fields.table)
    steps = []
    for place, (index, step) in enumerate(encoders):
        if not learned[index]:
            raise _idle(step, index, [origin for origin, _ in stages[place]], encoders)
        names = Counter(origin.name for origin, _ in stages[place + 1])
        if twice := [name for name, count in names.items() if count > 1]:
            message = f"{step.kind} makes a column '{twice[0]}', and there is one of that name"
            raise SourceError(message, ("preprocess", index), "give the column of the data another name")
        steps.append(EncodedStep(index, step, learned[index], len(names)))
    if left := [(origin, kind) for origin, kind in stages[-1] if kind != "number"]:
        origin, kind = left[0]
        message = f"the column '{origin.name}' is still of {kind}s after the last encoder"
        hint = f"add `{'date' if kind == 'time' else 'one_hot'}: {{columns: {origin.name}}}` after it"
        raise SourceError(message, ("preprocess",), hint)
    origins = tuple(origin for origin, _ in stages[-1])
    _refuse_shared_inputs(origins, steps)
    return Encoding(origins, tuple(steps), known)


def encode(
    fields: Fields,
    encoding: Encoding,
    start: int,
    stop: int,
    counts: UnseenCounts,
) -> Array:
    """(n, columns) float64: some neighbouring rows, encoded; `counts` adds up categories that no training row has.

    Raises:
        SourceError: a row cannot be encoded.
    """
    import numpy as np

    found: list[Column] = []
    for name in fields.names:
        columns = list(fields.columns(name, slice(start, stop)))
        for one in encoding.steps:
            made: list[Pair] = []
            for column, origin in columns:
                if column.name not in one.learned:
                    made.append((column, origin))
                    continue
                learned = one.learned[column.name]
                if (known := encoding.texts.get((one.index, column.name))) is not None:
                    counts.add(one.index, column, known, start)
                try:
                    encoded = one.step.encode(column, learned)
                except EncodeError as error:
                    rows = np.arange(start, stop)
                    raise _refused(fields.table, one.step, one.index, origin, error, rows) from None
                made += [(new, origin) for new in encoded]
            columns = made
        found += [column for column, _ in columns]
    return np.stack([column.numbers for column in found], axis=1)  # type: ignore[misc]


def _takes(step: Encoder, column: Column, origin: NumberColumn, table: Table) -> bool:
    """Whether a step changes a column."""
    # A column that an earlier step made, such as an indicator, has a name of its own, and perhaps no texts.
    readable = step.reads is None or (step.reads == "text" and column.codes is not None)
    return readable and suits(step, _type_of(column, origin, table), column.name, origin.field)


def _may_change(step: Encoder, name: str) -> bool:
    """Whether a step may change a column that comes from a field."""
    patterns = step.columns
    return (
        patterns is None
        or is_named(step, name)
        or any(set("*?") & set(one) or one.startswith(name) for one in patterns)
    )


def _origin(
    step: Encoder, index: int, learned: Learned, column: Column, origin: NumberColumn, made: Column
) -> NumberColumn:
    """Where a column comes from that a step made of another one."""
    same = made.name == column.name and (made.codes is None) == (column.codes is None)
    made_by, count = (origin.made_by, origin.indices) if same else (index, step.index_count(learned))
    return NumberColumn(made.name, origin.field, made_by, index, count)


def _refused(
    table: Table, step: Encoder, index: int, origin: NumberColumn, error: EncodeError, rows: Array
) -> SourceError:
    """The error about a column that cannot be encoded; `rows` are the numbers of its rows."""
    cell = f"{table.cell(origin.field, int(rows[error.row]))}; " if error.row is not None else ""
    return SourceError(f"{step.kind}: {cell}{error.message}", ("preprocess", index), error.hint)


def _refuse_shared_inputs(columns: Sequence[NumberColumn], steps: Sequence[EncodedStep]) -> None:
    """Refuse other columns beside those of a step that make an input of their own.

    Raises:
        SourceError: there are such columns.
    """
    for one in steps:
        if not one.step.own_input:
            continue
        name, *others = one.learned
        others += [column.name for column in columns if column.changed_by != one.index]
        if others:
            message = f"{one.step.kind} makes an input of '{name}', and '{others[0]}' is in the same input"
            rest = dict.fromkeys(column.field for column in columns if column.field not in one.learned)
            hint = f"give it an input of its own: {own_inputs(list(one.learned), list(rest))}"
            if not rest and len(one.learned) == 1:
                hint = f"leave '{others[0]}' out"
            raise SourceError(message, ("preprocess", one.index), hint)


def _idle(step: Encoder, index: int, columns: Sequence[NumberColumn], encoders: Steps) -> SourceError:
    """What to say about a step that has no column to change at its place in the list."""
    kinds = {place: before.kind for place, before in encoders}
    for column in columns:
        if step.columns is not None and suits(step, "", column.name, column.field) and column.changed_by in kinds:
            before = kinds[column.changed_by]
            message = f"{step.kind} takes texts, and {before}, which comes before it, makes numbers of '{column.field}'"
            return SourceError(message, ("preprocess", index), "keep one of them for this column")
    message = f"{step.kind} has nothing to do: no feature is a column of {' or '.join(step.takes)}s"
    return SourceError(message, ("preprocess", index), "remove it, or name the columns in `columns`")


def _head(column: Column) -> Column:
    """The first row of a column, which is enough to see which columns come of it."""
    if column.codes is None:
        assert column.numbers is not None
        return Column(column.name, column.numbers[:1])
    return _of_texts_there(Column(column.name, None, column.texts, column.codes[:1]))


def _of_texts_there(column: Column) -> Column:
    """A column of texts with only those that a row has."""
    import numpy as np

    codes = column.codes
    assert codes is not None
    there = np.unique(codes[codes >= 0])
    places = np.full(len(column.texts) + 1, -1)
    places[there] = np.arange(len(there))
    return Column(column.name, None, tuple(column.texts[code] for code in there), places[codes])


def _typed(columns: Sequence[Pair], table: Table) -> list[Typed]:
    return [(origin, _type_of(column, origin, table)) for column, origin in columns]


def _type_of(column: Column, origin: NumberColumn, table: Table) -> FieldType:
    """What a column holds at its place among the steps."""
    if column.codes is None:
        return "number"
    is_time = origin.made_by == FROM_DATA and table.fields[origin.field].type == "time"
    return "time" if is_time else "text"
