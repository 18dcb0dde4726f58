"""The encoders of each input: which columns each changes, what it learns, and the columns of numbers that come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import Column, EncodeError, Encoder, Learned, Preprocess
from dlrun.components.preprocess._categories import CategoryEncoder
from dlrun.components.sources import SourceError, SplitName, Table
from dlrun.components.sources._cells import is_missing
from dlrun.language.field_type import FieldType
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.fields import Chosen, matches
from dlrun.plan.own_inputs import own_inputs
from dlrun.plan.unseen import Unseen, count_unseen

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Steps = Sequence[tuple[int, Encoder]]
"""Encoders, each with its index in the spec's list of steps."""
FROM_DATA = -1
"""In place of the index of a step, for what the data has."""


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
class Encoded:
    """One input after its encoders."""

    columns: tuple[NumberColumn, ...]
    steps: tuple[EncodedStep, ...]
    values: Array = field(repr=False, compare=False)
    """(N, columns) float64."""


@dataclass(frozen=True, slots=True)
class ReadAs:
    """As what each field of the inputs is read."""

    texts: dict[str, set[str]]
    """For each input its fields that are read as texts."""
    lacking: set[str]
    """The fields of numbers that may lack values: every input that takes them fills them in."""


def steps_of(encoders: Steps, name: str, chosen: Chosen) -> Steps:
    """The encoders that may change a field of an input, in order."""
    return [
        (index, step)
        for index, step in encoders
        if step.input in (None, name) and (step.columns is None or any(_names(step, entry) for entry in chosen.fields))
    ]


def how_to_read(inputs: Mapping[str, Chosen], steps: Mapping[str, Steps], table: Table) -> ReadAs:
    """As what each field is read: as texts where it is of texts, or an encoder takes it so.

    Raises:
        SourceError: an array of several axes has no columns.
    """
    found = ReadAs({name: set() for name in inputs}, set())
    unfilled: set[str] = set()
    for name, chosen in inputs.items():
        for field_name in chosen.fields:
            entry = table.fields[field_name]
            acting = [(index, step) for index, step in steps[name] if _suits(step, entry.type, field_name)]
            if acting and len(entry.shape) > 1:
                index, step = acting[0]
                message = f"{step.kind} changes columns, and the {table.noun} '{field_name}' has several axes"
                raise SourceError(message, ("preprocess", index), "name other columns in `columns`")
            if acting and (entry.type in ("text", "time") or any(step.reads == "text" for _, step in acting)):
                found.texts[name].add(field_name)
            elif any(step.fills for _, step in acting):
                found.lacking.add(field_name)
            else:
                unfilled.add(field_name)
    found.lacking.difference_update(unfilled)
    return found


def encode(
    table: Table,
    chosen: Chosen,
    encoders: Steps,
    texts: Collection[str],
    train: Array,
    others: Mapping[SplitName, Array] = MappingProxyType({}),
) -> Encoded:
    """Learn every encoder from the training rows, and encode all rows.

    `others` are the rows of the other splits, in which categories that no training row has are counted.

    Raises:
        SourceError: a step has nothing to do or to learn from, or a column is still of texts after the last one.
    """
    import numpy as np

    columns = [entry for name in chosen.fields for entry in _columns(table, name, name in texts)]
    steps = []
    for index, step in encoders:
        learned: dict[str, Learned] = {}
        unseen: dict[str, Unseen] = {}
        made: list[tuple[Column, NumberColumn]] = []
        for column, origin in columns:
            kind = _type_of(column, origin, table)
            # A column that an earlier step made, such as an indicator, has a name of its own, and perhaps no texts.
            readable = step.reads is None or (step.reads == "text" and column.codes is not None)
            if not _suits(step, kind, column.name, origin.field) or not readable:
                made.append((column, origin))
                continue
            try:
                rows = _of_rows(column, train)
                learned[column.name] = found = step.learn(rows)
                encoded = step.encode(column, found)
            except EncodeError as error:
                cell = f"{table.cell(origin.field, error.row)}; " if error.row is not None else ""
                raise SourceError(f"{step.kind}: {cell}{error.message}", ("preprocess", index), error.hint) from None
            if isinstance(step, CategoryEncoder) and (new := count_unseen(step, column, rows, found, others)):
                unseen[column.name] = new
            indices = step.index_count(found)
            for one in encoded:
                same = one.name == column.name and (one.codes is None) == (column.codes is None)
                made_by, count = (origin.made_by, origin.indices) if same else (index, indices)
                made.append((one, NumberColumn(one.name, origin.field, made_by, index, count)))
        if not learned:
            raise _idle(step, index, [origin for _, origin in columns], encoders)
        if twice := [name for name, count in Counter(one.name for one, _ in made).items() if count > 1]:
            message = f"{step.kind} makes a column '{twice[0]}', and there is one of that name"
            raise SourceError(message, ("preprocess", index), "give the column of the data another name")
        steps.append(EncodedStep(index, step, learned, len(made), unseen))
        columns = made
    if left := [(column, origin) for column, origin in columns if column.codes is not None]:
        kind, name = _type_of(*left[0], table), left[0][0].name
        message = f"the column '{name}' is still of {kind}s after the last encoder"
        hint = f"add `{'date' if kind == 'time' else 'one_hot'}: {{columns: {name}}}` after it"
        raise SourceError(message, ("preprocess",), hint)
    _refuse_shared_inputs(columns, steps)
    values = np.stack([column.numbers for column, _ in columns], axis=1)  # type: ignore[misc]
    return Encoded(tuple(origin for _, origin in columns), tuple(steps), values)


def _refuse_shared_inputs(columns: Sequence[tuple[Column, NumberColumn]], steps: Sequence[EncodedStep]) -> None:
    """Refuse other columns beside those of a step that make an input of their own.

    Raises:
        SourceError: there are such columns.
    """
    for one in steps:
        if not one.step.own_input:
            continue
        name, *others = one.learned
        others += [column.name for column, origin in columns if origin.changed_by != one.index]
        if others:
            message = f"{one.step.kind} makes an input of '{name}', and '{others[0]}' is in the same input"
            rest = dict.fromkeys(origin.field for _, origin in columns if origin.field not in one.learned)
            hint = f"give it an input of its own: {own_inputs(list(one.learned), list(rest))}"
            if not rest and len(one.learned) == 1:
                hint = f"leave '{others[0]}' out"
            raise SourceError(message, ("preprocess", one.index), hint)


def _idle(step: Encoder, index: int, columns: Sequence[NumberColumn], encoders: Steps) -> SourceError:
    """What to say about a step that has no column to change at its place in the list."""
    kinds = {place: before.kind for place, before in encoders}
    for column in columns:
        if step.columns is not None and _suits(step, "", column.name, column.field) and column.changed_by in kinds:
            before = kinds[column.changed_by]
            message = f"{step.kind} takes texts, and {before}, which comes before it, makes numbers of '{column.field}'"
            return SourceError(message, ("preprocess", index), "keep one of them for this column")
    message = f"{step.kind} has nothing to do: no feature is a column of {' or '.join(step.takes)}s"
    return SourceError(message, ("preprocess", index), "remove it, or name the columns in `columns`")


def for_no_input(step: Preprocess, inputs: Sequence[str]) -> tuple[str, str] | None:
    """The message and the hint about a step that does not say which of several inputs it is for; None where it does."""
    if step.input is not None or step.columns is not None or len(inputs) == 1:
        return None
    hint = f"there are {', '.join(inputs)}: `{step.kind}: {{input: {inputs[0]}}}`"
    return f"{step.kind} does not say which input it is for", hint


def refuse_strangers(encoders: Steps, inputs: Mapping[str, Chosen], table: Table) -> None:
    """Hold the `columns` of each encoder to fields of the inputs.

    Raises:
        SourceError: a name or a pattern is none of them; a step names neither columns nor one of several inputs.
    """
    for index, step in encoders:
        if unclear := for_no_input(step, list(inputs)):
            raise SourceError(unclear[0], ("preprocess", index), unclear[1])
        chosen = [one for name, one in inputs.items() if step.input in (None, name)]
        fields = [name for one in chosen for name in one.fields]
        for pattern in step.columns or ():
            if not any(matches(name, pattern) for name in fields):
                meant = did_you_mean(pattern, fields, {})
                message = f"no feature is called '{pattern}'{meant}"
                raise SourceError(message, ("preprocess", index, step.kind, "columns"), table.listed())


def _columns(table: Table, name: str, as_text: bool) -> Iterator[tuple[Column, NumberColumn]]:
    import numpy as np

    if as_text:
        texts = table.texts(name)
        absent = np.array([is_missing(text.strip(), table.missing) for text in texts.distinct], bool)
        codes = np.where(absent[texts.rows], -1, texts.rows)
        yield Column(name, None, texts.distinct, codes), NumberColumn(name, name, FROM_DATA, FROM_DATA)
        return
    values = table.numbers([name])[:]
    for index in range(values.shape[1]):
        label = name if values.shape[1] == 1 else f"{name}[{index}]"
        yield (
            Column(label, values[:, index].astype(np.float64, copy=False)),
            NumberColumn(label, name, FROM_DATA, FROM_DATA),
        )


def _of_rows(column: Column, rows: Array) -> Column:
    """Some rows of a column; of the texts only those that are there."""

    import numpy as np

    if column.codes is None:
        assert column.numbers is not None
        return Column(column.name, column.numbers[rows])
    codes = column.codes[rows]
    there = np.unique(codes[codes >= 0])
    places = np.full(len(column.texts) + 1, -1)
    places[there] = np.arange(len(there))
    return Column(column.name, None, tuple(column.texts[code] for code in there), places[codes])


def _type_of(column: Column, origin: NumberColumn, table: Table) -> FieldType:
    """What a column holds at its place among the steps."""
    if column.codes is None:
        return "number"
    is_time = origin.made_by == FROM_DATA and table.fields[origin.field].type == "time"
    return "time" if is_time else "text"


def _suits(step: Encoder, kind: str, *names: str) -> bool:
    return kind in step.takes if step.columns is None else any(_names(step, name) for name in names)


def _names(step: Preprocess, name: str) -> bool:
    return any(matches(name, pattern) for pattern in step.columns or ())
