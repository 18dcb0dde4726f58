"""Shared by the sources: the classes, their counts and checks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, SourceNote
from dlrun.components.sources._cells import is_number, sort_of, way_out
from dlrun.language.suggestions import shorten
from dlrun.language.target_kind import TargetKind

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

AT_A_TIME = 1 << 20
"""Codes that are counted together."""
FEW_ROWS = 10
"""With fewer rows a class on average, numbers are hardly classes."""
MANY_CLASSES = 20
MEASURES = ("decimal comma", "thousands", "percent", "currency", "underscores", "date")
"""What cells can be that are numbers, or measured, written in another way."""


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


def counts_of(codes: Array, count: int) -> list[int]:
    """How often each of so many whole numbers from 0 on occurs; numpy would make int64 of all codes at once."""
    import numpy as np

    found = np.zeros(count, np.int64)
    for start in range(0, len(codes), AT_A_TIME):
        found += np.bincount(codes[start : start + AT_A_TIME], minlength=count)
    return found.tolist()


def judge(labels: tuple[str, ...], rows: int, what: str, at: tuple[str, ...]) -> tuple[SourceNote, ...]:
    """Notes about classes that are rather numbers to predict, one class in two forms, or of two sorts.

    Raises:
        SourceError: one number is written in two forms; or they are fractions, dates or the like with few rows each.
    """
    for one, other in pairwise(labels):
        if _same_number(one, other):
            message = f"{what} has the same number in two forms, '{one}' and '{other}'"
            raise SourceError(message, at, "write it the same in every row")
    return (*_as_numbers(labels, rows, what, at), *_similar(labels, what, at), *_mixed(labels, what, at))


def _as_numbers(labels: tuple[str, ...], rows: int, what: str, at: tuple[str, ...]) -> Iterator[SourceNote]:
    sorts = {"number" if is_number(label) else sort_of(label) for label in labels}
    if len(labels) < 3 or not sorts <= {"number", *MEASURES}:
        return
    plain = sorts == {"number"}
    measured = not plain or any(not float(label).is_integer() for label in labels)
    few = rows < FEW_ROWS * len(labels)
    are = "numbers" if plain or sorts & {"number"} else "dates or times" if sorts == {"date"} else "numbers"
    message = f"{what} has {len(labels)} different {are} in {rows} rows, and the loss takes each for a class"
    hint = "`loss: mse` predicts numbers"
    if not plain:
        odd = next(label for label in labels if not is_number(label))
        hint += f", and {shorten(odd)} is none: {way_out([odd])}"
    if measured and few and (len(labels) > MANY_CLASSES or rows < 3 * len(labels)):
        raise SourceError(message, at, hint)
    if measured or (few and len(labels) > MANY_CLASSES):
        yield SourceNote("numbers_as_classes", message, at, hint)


def _similar(labels: tuple[str, ...], what: str, at: tuple[str, ...]) -> Iterator[SourceNote]:
    """Classes that differ in nothing that a reader sees as another word."""
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(_plain(label), label)
        if other != label:
            message = f"{what} has the classes {other!a} and {label!a}, which differ only in how they are written"
            yield SourceNote("similar_classes", message, at, "write a class the same in every row")
            return


def _plain(label: str) -> str:
    """A label without case, spaces and marks that are not seen; accents in one form."""
    if is_number(label):
        return label
    text = unicodedata.normalize("NFKC", label).casefold()
    return "".join(c for c in text if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf"))


def _mixed(labels: tuple[str, ...], what: str, at: tuple[str, ...]) -> Iterator[SourceNote]:
    """Numbers among words: one may be a mark, such as -999, or two files were put together."""
    numbers = [label for label in labels if is_number(label)]
    words = [label for label in labels if not is_number(label)]
    if numbers and words:
        some = f"{shorten(numbers[0])} is a number and {shorten(words[0])} is not"
        message = f"{what} has classes of two sorts: {some}"
        yield SourceNote("mixed_classes", message, at, "if one is a mark for a missing value, list it in `missing`")


def _same_number(one: str, other: str) -> bool:
    """Whether two labels are one number, exactly."""
    try:
        exact = is_number(one) and is_number(other)
        return float(one) == float(other) and (not exact or Decimal(one) == Decimal(other))
    except ValueError:
        return False


def _counted(labels: tuple[str, ...]) -> str:
    return f"{len(labels)} class" + ("" if len(labels) == 1 else "es") + f", {shorten(labels)}"
