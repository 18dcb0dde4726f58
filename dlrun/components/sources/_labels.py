"""Shared by the sources: the classes, their counts and checks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from dlrun.components.sources import SourceError, SourceNote
from dlrun.components.sources._cells import is_number
from dlrun.language.suggestions import shorten
from dlrun.language.target_kind import TargetKind

FEW_ROWS = 10
"""With fewer rows a class on average, numbers are hardly classes."""
MANY_CLASSES = 20


class Classes:
    """The class of each row, collected while the rows are read."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        """Each label, with a number in the order of its first row."""
        self.rows = array("i")

    def add(self, label: str) -> None:
        """Add the next row's label."""
        self.rows.append(self.seen.setdefault(label, len(self.seen)))

    def in_order(self, labels: Sequence[str]) -> tuple[tuple[int, ...], Sequence[int]]:
        """How many rows each label has, and each row's class number, which is the label's place in `labels`."""
        numbers = {label: number for number, label in enumerate(labels)}
        final = [numbers[label] for label in self.seen]
        counts = [0] * len(labels)
        for index, number in enumerate(self.rows):
            self.rows[index] = final[number]
            counts[final[number]] += 1
        return tuple(counts), self.rows


def need_labels(labels: tuple[str, ...], wants: TargetKind, what: str, at: tuple[str, ...]) -> tuple[str, ...]:
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


def judge_numbers(labels: tuple[str, ...], rows: int, what: str, at: tuple[str, ...]) -> tuple[SourceNote, ...]:
    """A note where the classes are rather numbers to predict.

    Raises:
        SourceError: they are fractions with few rows each.
    """
    if len(labels) < 3 or not all(map(is_number, labels)):
        return ()
    fractions = any(not float(label).is_integer() for label in labels)
    few = rows < FEW_ROWS * len(labels)
    message = f"{what} has {len(labels)} different numbers in {rows} rows, and the loss takes each for a class"
    hint = "`loss: mse` predicts numbers"
    if fractions and few and (len(labels) > MANY_CLASSES or rows < 3 * len(labels)):
        raise SourceError(message, at, hint)
    if fractions or (few and len(labels) > MANY_CLASSES):
        return (SourceNote("numbers_as_classes", message, at, hint),)
    return ()


def _counted(labels: tuple[str, ...]) -> str:
    return f"{len(labels)} class" + ("" if len(labels) == 1 else "es") + f", {shorten(labels)}"
