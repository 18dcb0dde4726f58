"""Split the rows into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from dlrun.components.sources import SourceError
from dlrun.components.sources._labels import counts_of
from dlrun.language.split import Split
from dlrun.plan.split_draws import (
    Codes,
    Indices,
    Parts,
    at_random,
    by_class,
    by_group,
    by_time,
    folds_at_random,
    folds_by_class,
    folds_by_group,
)
from dlrun.plan.split_sizes import SPLITS, Sameness, SplitSizes, few_for_folds, split_sizes, unstratifiable

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


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What the data says of its rows, for the split."""

    groups: Codes | None = None
    times: Codes | None = None
    apart: Mapping[str, Indices] = field(default_factory=dict)
    """The rows of each split that the data keeps apart."""


def split_rows(
    target_classes: np.ndarray[Any, Any] | None,
    rows: int,
    split: Split,
    seed: int,
    labels: tuple[str, ...] | None = None,
    marks: Marks | None = None,
) -> Splits:
    """Draw the test and the validation rows; the rest is for training. The same seed draws the same rows.

    With `stratify`, every class has its share of each split, rounded so that the splits keep their sizes
    (largest remainder), and at least one row. Of several folds, this draws the one that the split names, or the first;
    each is drawn as if it were alone.

    Args:
        target_classes: each row's class number, which `stratify` needs.
        rows: how many rows there are.
        split: the sizes, and how to draw.
        seed: used where the split has no seed of its own.
        labels: the names of the classes, for errors.
        marks: the groups and the times of the rows, and the rows that are not drawn.

    Raises:
        SourceError: a class, or a column of the split, has too little for every split.
    """
    marks = marks or Marks()
    classes = target_classes if split.stratify else None
    chosen = split.seed if split.seed is not None else seed
    random = np.random.Generator(np.random.PCG64(chosen))
    left = np.arange(rows)
    if marks.apart:
        left = np.delete(left, np.concatenate(list(marks.apart.values())))
        _refuse_straddling(marks, left)
    sizes = split_sizes(rows, split, {name: len(part) for name, part in marks.apart.items()})
    test = marks.apart.get("test")
    if split.folds is not None:
        folds = _folds(classes, labels, left, split.folds, marks, random)
        fold = (split.fold or 1) - 1
        test, left = left[folds == fold], left[folds != fold]
        sizes = split_sizes(len(left), Split(validation=split.validation, test=0))
        random = np.random.Generator(np.random.PCG64([chosen, fold]))
    validation = marks.apart.get("validation")
    of_test = sizes.test if test is None else 0
    of_validation = sizes.validation if validation is None else 0
    if of_test + of_validation > len(left):
        raise SourceError(f"of {rows} rows, none is left for training", ("split",))
    drawn = SplitSizes(len(left) - of_test - of_validation, of_validation, of_test)
    test_places, validation_places, train_places = _draw(classes, labels, left, drawn, marks, random)
    training = left[train_places]
    validation = left[validation_places] if validation is None else validation
    if split.train_on_validation:
        training, validation = np.concatenate([training, validation]), validation[:0]
    return Splits(np.sort(training), np.sort(validation), np.sort(left[test_places] if test is None else test))


def _draw(
    classes: Indices | None,
    labels: tuple[str, ...] | None,
    rows: Indices,
    sizes: SplitSizes,
    marks: Marks,
    random: np.random.Generator,
) -> Parts:
    """The places of each split among some rows."""
    if marks.times is not None:
        return by_time(marks.times.of(rows), sizes)
    classes = None if classes is None else classes[rows]
    if marks.groups is not None:
        return by_group(marks.groups.of(rows), classes, sizes, random)
    if classes is None:
        return at_random(len(rows), sizes, random)
    counts = np.bincount(classes, minlength=len(labels or ()))
    for message, hint in unstratifiable(counts.tolist(), labels or [str(n) for n in range(len(counts))], sizes):
        raise SourceError(message, AT, hint)
    return by_class(classes, counts, sizes, random)


def _folds(
    classes: Indices | None,
    labels: tuple[str, ...] | None,
    rows: Indices,
    folds: int,
    marks: Marks,
    random: np.random.Generator,
) -> Indices:
    """(N,) the fold of each of some rows, from 0 on."""
    classes = None if classes is None else classes[rows]
    if marks.groups is not None:
        return folds_by_group(marks.groups.of(rows), classes, folds, random)
    if classes is None:
        return folds_at_random(len(rows), folds, random)
    counts = np.bincount(classes, minlength=len(labels or ()))
    for message, hint in few_for_folds(counts.tolist(), labels or [str(n) for n in range(len(counts))], folds):
        raise SourceError(message, AT, hint)
    return folds_by_class(classes, counts, folds, random)


def _refuse_straddling(marks: Marks, left: Indices) -> None:
    """Refuse a group with rows that the data keeps apart and others."""
    parts = {"the other rows": left, **marks.apart}
    for (one, rows), (other, others) in combinations(parts.items(), 2) if marks.groups is not None else ():
        assert marks.groups is not None
        if len(shared := np.intersect1d(marks.groups.rows[rows], marks.groups.rows[others])):
            row = int(np.flatnonzero(marks.groups.rows == shared[0])[0])
            message = f"the group of row {row} in {marks.groups.what} is in the {other} rows that the data keeps apart "
            message += f"and in {one if one == 'the other rows' else f'the {one} rows'}"
            raise SourceError(message, ("split", "group"), "remove `group`, or put all rows of a group into one split")


def count_classes(splits: Splits, classes: np.ndarray[Any, Any], labels: Sequence[str]) -> dict[str, list[int]]:
    """For each class how many rows, or positions, it has in training, validation and test."""
    parts = (splits.train, splits.validation, splits.test)
    counts = [counts_of(classes[rows].reshape(-1), len(labels)) for rows in parts]
    return {label: [count[number] for count in counts] for number, label in enumerate(labels)}


def sameness(splits: Splits, values: np.ndarray[Any, Any]) -> Sameness:
    """What is the same in all rows of a split; `values` has one row of numbers for each row of the data."""
    flat = values.reshape(len(values), -1)
    parts = [flat[rows] for rows in (splits.train, splits.validation, splits.test)]
    constant = tuple(bool(len(part) and (part.min(0) == part.max(0)).any()) for part in parts)
    return Sameness(tuple(len(part) for part in parts), constant, flat.shape[1] > 1)
