"""Describe the data of a spec: open its source, choose the fields, and let the encoders learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.losses import Loss
from dlrun.components.preprocess import Encoder
from dlrun.components.sources import Source, SourceError, Table
from dlrun.components.sources._extents import index_count, vocabulary
from dlrun.components.sources._labels import judge
from dlrun.language.experiment import DataSection
from dlrun.language.split import Split
from dlrun.plan.data_info import DataInfo, Feature, Target
from dlrun.plan.encode import FROM_DATA, NumberColumn
from dlrun.plan.encoded import Encoded, encoded
from dlrun.plan.encoders import Steps, how_to_read, refuse_strangers, steps_of
from dlrun.plan.fields import Chosen, choose, judging, losses_by_output
from dlrun.plan.targets import class_counts, class_numbers, read_labels
from dlrun.plan.unseen import unseen_notes
from dlrun.shapes import numel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def describe(
    data: DataSection,
    losses: Sequence[Loss],
    folder: Path,
    whole: bool = True,
    seed: int = 0,
    encoders: Steps | None = None,
) -> DataInfo:
    """Describe the data, and read no more of it than that takes.

    Args:
        data: the section of the spec.
        losses: they decide how the targets are read.
        folder: where relative paths start.
        whole: whether all rows are wanted, however long it takes to read them.
        seed: the experiment's, for the split: encoders learn from the training rows.
        encoders: in place of those of the section, where the others cannot be read yet.

    Raises:
        SourceError: what is asked for is not there.
    """
    if encoders is None:
        encoders = [(index, step) for index, step in enumerate(data.preprocess) if isinstance(step, Encoder)]
    assert isinstance(data.source, Source)
    table = data.source.open(folder, whole)
    table.divide(data.split, partial(_training, table, data.split, seed))
    choice = choose(data, losses, table)
    refuse_strangers(encoders, choice.inputs, table)
    steps = {name: steps_of(encoders, name, chosen) for name, chosen in choice.inputs.items()}
    read_as = how_to_read(choice.inputs, steps, table)
    as_numbers, texts = choice.read(read_as.texts, table)
    plain = {name for chosen in choice.inputs.values() for name in chosen.fields} - read_as.lacking
    table.lay_out([chosen.fields for name, chosen in choice.inputs.items() if not steps[name]])
    # The split says itself what a row without a value means there.
    table.read(as_numbers, texts, read_as.lacking | {name for name in choice.split if name in as_numbers} - plain)
    targets: dict[str, Target] = {}
    notes = dict.fromkeys(table.notes())
    by_output = losses_by_output(losses)
    for name, chosen in choice.targets.items():
        target = _labelled(table, chosen) if chosen.labelled else _numbers(table, chosen)
        judges = [loss for _, loss in judging(name, data.target, by_output)]
        named = next((loss.named_class for loss in judges if loss.named_class), None)
        ignored = next((loss.ignored_class for loss in judges if loss.ignored_class), table.padding)
        targets[name] = replace(target, positive=_positive(target, named), ignored=_ignored(target, ignored))
        if target.labels is not None and chosen.labelled and table.counts(chosen.fields[0]) is None:
            notes |= dict.fromkeys(
                judge(target.labels, table.rows * numel(chosen.shape), chosen.what(table), chosen.at)
            )
    as_texts = frozenset().union(*read_as.texts.values())
    dividing = {name: name in texts for name in choice.split}
    found = DataInfo(table.rows, {}, targets, table=table, as_texts=as_texts, dividing=dividing, whole=whole)
    for name, chosen in choice.inputs.items():
        if steps[name]:
            train = found.training_rows(data.split, seed)
            others = found.other_rows(data.split, seed)
            made = encoded(table, chosen, steps[name], read_as.texts[name], train, others)
            for one in made.steps:
                notes |= dict.fromkeys(unseen_notes(one.index, one.unseen))
            found.features[name], found.made[name] = _encoded(table, chosen, made), made
        else:
            found.features[name] = _feature(table, chosen)
    return replace(found, notes=tuple(notes))


def _training(table: Table, split: Split, seed: int, rows: int) -> Array:
    """The numbers of the training rows, of so many rows, where no column decides them."""
    from dlrun.plan.split import split_rows
    from dlrun.plan.split_columns import read_marks

    return split_rows(None, rows, split, seed, marks=read_marks(table, split, ())).train


def _positive(target: Target, named_class: str | None) -> int | None:
    """The class for which a binary target is 1: the one that the loss names, 1 of 0 and 1, or the rarer one."""
    if target.wants != "binary" or target.labels is None:
        return None
    if named_class in target.labels:
        return target.labels.index(named_class)
    low, high = (label.lower() for label in target.labels)
    usual = low in ("0", "0.0", "false") and high in ("1", "1.0", "true")
    return 1 if usual else target.rarer


def _ignored(target: Target, label: str | None) -> int | None:
    """The number of the class whose positions do not count, where rows have several; whether it exists is checked with
    the loss that names it."""
    if target.wants != "classes" or not target.shape or target.labels is None or label not in target.labels:
        return None
    return target.labels.index(label)


def _feature(table: Table, chosen: Chosen) -> Feature:
    width = max(table.fields[name].number_bytes for name in chosen.fields)
    scalar = all(table.fields[name].shape == () for name in chosen.fields)
    columns = tuple(NumberColumn(name, name, FROM_DATA, FROM_DATA) for name in chosen.fields) if scalar else ()
    stored = table.stores(chosen.fields)
    return Feature(chosen.shape, table.vocabulary(chosen.fields), width, chosen.fields, columns, stored=stored)


def _encoded(table: Table, chosen: Chosen, made: Encoded) -> Feature:
    shape = (len(made.columns),)
    counts = [column.indices for column in made.columns if column.indices is not None]
    size = None
    if not counts:
        size = vocabulary(made.values[:]) if made.extent is None else index_count(made.extent)
    elif len(counts) == len(made.columns):
        size = max(counts)  # an index that only rows to come will have counts too
    return Feature(shape, size, 8, chosen.fields, made.columns, made.steps, table.stores(chosen.fields))


def _labelled(table: Table, chosen: Chosen) -> Target:
    labels = read_labels(table, chosen)
    counts = tuple((table.counts(chosen.fields[0]) or {}).values()) or None
    if counts is None and table.complete:
        counts = class_counts(class_numbers(table.texts(chosen.fields[0]), labels), labels)
    return Target(chosen.shape, labels, chosen.wants, counts, chosen.fields)


def _numbers(table: Table, chosen: Chosen) -> Target:
    if table.is_cheap(chosen.fields):
        values = table.numbers(chosen.fields)
        if chosen.wants == "binary":
            _need_binary(table, chosen, values[:])
    labels = None
    if chosen.wants == "probabilities":
        count = numel(chosen.shape)
        labels = chosen.fields if len(chosen.fields) == count else tuple(map(str, range(count)))
    return Target(chosen.shape, labels, chosen.wants, fields=chosen.fields)


def _need_binary(table: Table, chosen: Chosen, values: Any) -> None:
    wrong = (values != 0) & (values != 1)
    if not wrong.any():
        return
    row, column = (int(places[0]) for places in wrong.reshape(len(values), -1).nonzero())
    name = chosen.fields[min(column, len(chosen.fields) - 1)]
    raise SourceError(f"{table.cell(name, row)}; several binary values must be 0 or 1", chosen.at)
