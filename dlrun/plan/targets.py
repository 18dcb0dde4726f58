"""The classes of a target: their names and counts, and what cannot be a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dlrun.components.losses import IGNORED
from dlrun.components.sources import SourceError, Table, Texts
from dlrun.components.sources._cells import NUL_HINT, is_missing
from dlrun.components.sources._labels import counts_of, judge, need_labels
from dlrun.language.labels import class_labels
from dlrun.plan.fields import Chosen
from dlrun.shapes import numel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def read_labels(table: Table, chosen: Chosen) -> tuple[str, ...]:
    """The classes of a target in the order of their numbers.

    Raises:
        SourceError: a value cannot be a class, or there are not as many classes as the loss needs.
    """
    (name,) = chosen.fields
    what = f"the {table.noun} '{name}'"
    if (counts := table.counts(name)) is not None:
        return need_labels(tuple(counts), chosen.wants, table.name, table.at)
    texts = table.texts(name)
    for number, text in enumerate(texts.distinct):
        _refuse_missing(table, chosen, text.strip(), lambda number=number: int((texts.rows == number).argmax()))
    labels = class_labels(texts.distinct)
    if len(labels) > 2 or chosen.wants != "binary":  # a number in two forms is told before there are too many
        judge(labels, table.rows * numel(chosen.shape), what, chosen.at)
    return need_labels(labels, chosen.wants, what, chosen.at)


def class_numbers(texts: Texts, labels: Sequence[str]) -> Array:
    """(values,) for each value the number of its class, as the smallest whole numbers that hold all and IGNORED."""
    import numpy as np

    numbers = {label: number for number, label in enumerate(labels)}
    kind = np.min_scalar_type(-max(len(labels), -IGNORED))
    return np.array([numbers[text] for text in texts.distinct], kind)[texts.rows]


def class_counts(classes: Array, labels: Sequence[str]) -> tuple[int, ...]:
    """How many values are of each class."""
    return tuple(counts_of(classes, len(labels)))


def _refuse_missing(table: Table, chosen: Chosen, text: str, first: Callable[[], int]) -> None:
    """Refuse a text that no class can have; `first` finds its first row."""
    (name,) = chosen.fields
    if is_missing(text, table.missing):
        hint = f"fill in the {table.value} or remove the row"
        if text:
            hint += f"; if it is a class, write `{table.no_missing}`"
        raise SourceError(f"{table.cell(name, first())}; a class is expected", chosen.at, hint)
    if "\0" in text:
        raise SourceError(f"{table.cell(name, first())}; a NUL cannot be in a class", chosen.at, NUL_HINT)
