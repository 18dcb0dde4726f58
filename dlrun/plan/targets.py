"""The classes of a target: their names and counts, and what cannot be a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, SourceNote, Table, Texts, class_labels
from dlrun.components.sources._cells import is_missing, is_number
from dlrun.errors import SpecPath
from dlrun.language.suggestions import shorten
from dlrun.language.target_kind import TargetKind
from dlrun.plan.fields import Chosen

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FEW_ROWS = 10
"""With fewer rows a class on average, numbers are hardly classes."""
MANY_CLASSES = 20


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
    for one, other in pairwise(labels):
        if _same_number(one, other):
            raise SourceError(f"{what} has the same number in two forms, '{one}' and '{other}'", chosen.at)
    return need_labels(labels, chosen.wants, what, chosen.at)


def class_numbers(texts: Texts, labels: Sequence[str]) -> Array:
    """(N,) int64: for each row the number of its class."""
    import numpy as np

    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers[text] for text in texts.distinct], np.int64)[texts.rows]


def class_counts(classes: Array, labels: Sequence[str]) -> tuple[int, ...]:
    """How many rows each class has."""
    import numpy as np

    return tuple(np.bincount(classes, minlength=len(labels)).tolist())


def need_labels(labels: tuple[str, ...], wants: TargetKind, what: str, at: SpecPath) -> tuple[str, ...]:
    """Return the labels, if there are as many as the loss needs: two for `binary`, otherwise two or more.

    Raises:
        SourceError: `what` has another number of classes.
    """
    if wants == "binary" and len(labels) != 2:
        hint = "use `cross_entropy`, which takes any number of classes" if len(labels) > 2 else ""
        raise SourceError(f"{what} has {_counted(labels)}; a binary target needs 2", at, hint)
    if len(labels) < 2:
        raise SourceError(f"{what} has {_counted(labels)}; at least 2 are needed", at)
    return labels


def numbers_as_classes(labels: Sequence[str], rows: int, table: Table, chosen: Chosen) -> Iterator[SourceNote]:
    """A note where the classes are rather numbers to predict.

    Raises:
        SourceError: they are fractions with few rows each.
    """
    if len(labels) < 3 or not all(map(is_number, labels)):
        return
    fractions = any(not float(label).is_integer() for label in labels)
    few = rows < FEW_ROWS * len(labels)
    what = f"the {table.noun} '{chosen.fields[0]}'"
    message = f"{what} has {len(labels)} different numbers in {rows} rows, and the loss takes each for a class"
    hint = "`loss: mse` predicts numbers"
    if fractions and few and (len(labels) > MANY_CLASSES or rows < 3 * len(labels)):
        raise SourceError(message, chosen.at, hint)
    if fractions or (few and len(labels) > MANY_CLASSES):
        yield SourceNote("numbers_as_classes", message, chosen.at, hint)


def _refuse_missing(table: Table, chosen: Chosen, text: str, first: Callable[[], int]) -> None:
    """Refuse a text that no class can have; `first` finds its first row."""
    (name,) = chosen.fields
    if is_missing(text, table.missing):
        hint = f"fill in the {table.value} or remove the row"
        if text:
            kind, setting = table.at[1], table.at[-1]
            hint += f"; if it is a class, write `{kind}: {{{setting}: …, missing: []}}`"
        raise SourceError(f"{table.cell(name, first())}; a class is expected", chosen.at, hint)
    if "\0" in text:
        raise SourceError(f"{table.cell(name, first())}; a NUL cannot be in a class", chosen.at)


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _counted(labels: tuple[str, ...]) -> str:
    return f"{len(labels)} class" + ("" if len(labels) == 1 else "es") + f", {shorten(labels)}"
