"""Split the rows into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.components.sources import SourceError
from dlrun.language.experiment import Split
from dlrun.plan.split_sizes import SPLITS, Sameness, split_sizes, unstratifiable

Indices = np.ndarray[Any, np.dtype[np.int64]]
AT = ("split", "stratify")


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """The rows of each split, int64, in the order of the data."""

    train: Indices
    validation: Indices
    test: Indices

    def named(self) -> dict[str, Indices]:
        """The rows by the name of their split."""
        return dict(zip(SPLITS, (self.train, self.validation, self.test), strict=True))


def split_rows(
    target_classes: np.ndarray[Any, Any] | None,
    rows: int,
    split: Split,
    seed: int,
    labels: tuple[str, ...] | None = None,
) -> Splits:
    """Draw the test and the validation rows; the rest is for training. The same seed draws the same rows.

    With `stratify`, every class has its share of each split, rounded so that the splits keep their sizes
    (largest remainder), and at least one row.

    Args:
        target_classes: each row's class number; None where the target is numbers.
        rows: how many rows there are.
        split: the shares.
        seed: used where the split has no seed of its own.
        labels: the names of the classes, for errors.

    Raises:
        SourceError: a class has too few rows to be in every split.
    """
    sizes = split_sizes(rows, split)
    random = np.random.Generator(np.random.PCG64(seed if split.seed is None else split.seed))
    if not split.stratify:
        order = random.permutation(rows)
        test, validation, train = np.split(order, (sizes.test, sizes.test + sizes.validation))
        return Splits(np.sort(train), np.sort(validation), np.sort(test))
    if target_classes is None:
        raise SourceError("`stratify` needs classes, and the target is numbers", AT)
    counts = np.bincount(target_classes, minlength=len(labels or ()))
    for message, hint in unstratifiable(counts.tolist(), labels or [str(n) for n in range(len(counts))], sizes):
        raise SourceError(message, AT, hint)
    others = 1 + (sizes.validation > 0)
    test = _apportion(counts, sizes.test, counts - others)
    validation = _apportion(counts, sizes.validation, counts - test - 1)
    drawn: tuple[list[Indices], ...] = ([], [], [])
    for number in range(len(counts)):
        members = random.permutation(np.flatnonzero(target_classes == number))
        parts = np.split(members, (test[number], test[number] + validation[number]))
        for collected, part in zip(drawn, parts, strict=True):
            collected.append(part)
    test_rows, validation_rows, train_rows = (np.sort(np.concatenate(parts)) for parts in drawn)
    return Splits(train_rows, validation_rows, test_rows)


def count_classes(splits: Splits, classes: np.ndarray[Any, Any], labels: Sequence[str]) -> dict[str, list[int]]:
    """For each class how many rows it has in training, validation and test."""
    parts = (splits.train, splits.validation, splits.test)
    counts = [np.bincount(classes[rows], minlength=len(labels)) for rows in parts]
    return {label: [int(count[number]) for count in counts] for number, label in enumerate(labels)}


def sameness(splits: Splits, values: np.ndarray[Any, Any]) -> Sameness:
    """What is the same in all rows of a split; `values` has one row of numbers for each row of the data."""
    flat = values.reshape(len(values), -1)
    parts = [flat[rows] for rows in (splits.train, splits.validation, splits.test)]
    constant = tuple(bool(len(part) and (part.min(0) == part.max(0)).any()) for part in parts)
    return Sameness(tuple(len(part) for part in parts), constant, flat.shape[1] > 1)


def _apportion(counts: Indices, total: int, most: Indices) -> Indices:
    """Give each class its share of `total` by the largest remainder, from 1 up to `most`."""
    if not total:
        return np.zeros_like(counts)
    shares = counts * total  # in units of 1/rows of a row, so that nothing is rounded
    rows = counts.sum()
    given = np.clip(shares // rows, 1, most)
    while (missing := total - given.sum()) != 0:
        owed = shares - given * rows
        if missing > 0:
            given[np.argmax(np.where(given < most, owed, np.iinfo(np.int64).min))] += 1
        else:
            given[np.argmin(np.where(given > 1, owed, np.iinfo(np.int64).max))] -= 1
    return given
