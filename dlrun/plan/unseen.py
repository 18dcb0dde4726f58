"""Categories that no training row has: how many rows of the other splits have one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlrun.components.preprocess import Column, Learned
from dlrun.components.preprocess._categories import CategoryEncoder
from dlrun.components.sources import SourceNote, SplitName
from dlrun.language.suggestions import shorten

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Rows with a category that no training row has."""

    rows: dict[SplitName, int]
    """How many there are in each split."""
    example: str
    """The first such category."""
    trained: bool
    """Whether a training row has the place that they get, because its category is rare."""
    way_out: str
    """What to do where none has."""


class UnseenCounts:
    """Counts the rows with a category that no training row has, some neighbouring rows at a time."""

    def __init__(self, rows: int, others: Mapping[SplitName, Array]):
        """`rows`: how many there are; `others`: those of the other splits."""
        import numpy as np

        self.splits = list(others)
        self.split_of = np.zeros(rows, np.int8)
        """For each row 0, or the place in `splits` from 1 on."""
        for place, numbers in enumerate(others.values(), 1):
            self.split_of[numbers] = place
        self.counts: dict[tuple[int, str], tuple[Array, str]] = {}
        """For each step and column the rows of each split, and the first such category."""

    def add(self, index: int, column: Column, known: Collection[str], start: int) -> None:
        """Look at rows from `start` on of a column of texts, before the step `index`."""
        import numpy as np

        assert column.codes is not None
        new = np.array([*(text not in known for text in column.texts), False], bool)[column.codes]
        places = self.split_of[start : start + len(new)][new]
        counts = np.bincount(places, minlength=len(self.splits) + 1)[1:]
        if not counts.any():
            return
        before, first = self.counts.get((index, column.name), (0, ""))
        row = np.flatnonzero(new)[int((places > 0).argmax())]
        self.counts[index, column.name] = before + counts, first or column.texts[column.codes[row]]

    def of(
        self, index: int, step: CategoryEncoder, column: str, texts: Collection[str], learned: Learned
    ) -> Unseen | None:
        """What was counted for a column before a step; None where there is none.

        Args:
            index: that of the step.
            step: it.
            column: the column's name.
            texts: those that a training row has.
            learned: what the step learned of the column.
        """
        if (index, column) not in self.counts:
            return None
        counts, example = self.counts[index, column]
        rows = dict(zip(self.splits, counts.tolist(), strict=True))
        return Unseen(rows, example, not set(texts) <= set(learned["categories"]), step.way_out())


def unseen_notes(index: int, counts: Mapping[str, Unseen]) -> Iterator[SourceNote]:
    """A note about each column of a step whose unseen categories get a place that no training row has."""
    for column, unseen in counts.items():
        if unseen.trained:
            continue
        rows = [f"{count} {split} row{'s' * (count > 1)}" for split, count in unseen.rows.items() if count]
        have = "have" if sum(unseen.rows.values()) > 1 else "has"
        what = f"{have} a category of '{column}' that no training row has, such as {shorten(unseen.example)}"
        yield SourceNote("unseen_category", f"{' and '.join(rows)} {what}", ("preprocess", index), unseen.way_out)
