"""Categories that no training row has: how many rows of the other splits have one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def count_unseen(
    step: CategoryEncoder, column: Column, training: Column, learned: Learned, others: Mapping[SplitName, Array]
) -> Unseen | None:
    """The rows of the other splits with a category that no training row has; None where there is none."""
    import numpy as np

    assert column.codes is not None
    known = set(training.texts)
    new = np.array([text not in known for text in column.texts], bool)[column.codes]
    counts: dict[SplitName, int] = {split: int(new[rows].sum()) for split, rows in others.items()}
    if not any(counts.values()):
        return None
    first = next(int(rows[new[rows].argmax()]) for split, rows in others.items() if counts[split])
    return Unseen(counts, column.texts[column.codes[first]], not known <= set(learned["categories"]), step.way_out())


def unseen_notes(index: int, counts: Mapping[str, Unseen]) -> Iterator[SourceNote]:
    """A note about each column of a step whose unseen categories get a place that no training row has."""
    for column, unseen in counts.items():
        if unseen.trained:
            continue
        rows = [f"{count} {split} row{'s' * (count > 1)}" for split, count in unseen.rows.items() if count]
        have = "have" if sum(unseen.rows.values()) > 1 else "has"
        what = f"{have} a category of '{column}' that no training row has, such as {shorten(unseen.example)}"
        yield SourceNote("unseen_category", f"{' and '.join(rows)} {what}", ("preprocess", index), unseen.way_out)
