"""The ways to draw rows for a split: at random, by class, by group, by time, and as one of several folds.

Each takes what it needs of every row, and how many rows are wanted, and returns places among these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.components.sources import SourceError
from dlrun.plan.split_sizes import SplitSizes

Indices = np.ndarray[Any, np.dtype[np.int64]]
Array = np.ndarray[Any, Any]
Parts = tuple[Indices, Indices, Indices]
"""The places of the test, validation and training rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A column whose values divide the rows, each distinct value numbered."""

    rows: Indices
    """(N,) for each row the number of its value; times have their numbers in the order of time."""
    count: int
    what: str
    """The column, as errors call it: ``the column 'patient'``."""
    word: str
    """What its values are: groups or times."""
    setting: str
    """The setting of the split that names it."""

    def of(self, rows: Indices) -> Codes:
        """Those of some rows, numbered anew."""
        values, codes = np.unique(self.rows[rows], return_inverse=True)
        return Codes(codes.reshape(-1), len(values), self.what, self.word, self.setting)


def at_random(rows: int, sizes: SplitSizes, random: np.random.Generator) -> Parts:
    """The first rows of a random order are the test rows, those after them the validation rows."""
    test, validation, train = np.split(random.permutation(rows), (sizes.test, sizes.test + sizes.validation))
    return test, validation, train


def by_class(classes: Indices, counts: Indices, sizes: SplitSizes, random: np.random.Generator) -> Parts:
    """Every class has its share of each split, by the largest remainder, and at least one row."""
    others = 1 + (sizes.validation > 0)
    test = _apportion(counts, sizes.test, counts - others)
    validation = _apportion(counts, sizes.validation, counts - test - 1)
    drawn: tuple[list[Indices], ...] = ([], [], [])
    for number in range(len(counts)):
        members = random.permutation(np.flatnonzero(classes == number))
        parts = np.split(members, (test[number], test[number] + validation[number]))
        for collected, part in zip(drawn, parts, strict=True):
            collected.append(part)
    test_rows, validation_rows, train_rows = (np.concatenate(parts) for parts in drawn)
    return test_rows, validation_rows, train_rows


def by_group(groups: Codes, classes: Indices | None, sizes: SplitSizes, random: np.random.Generator) -> Parts:
    """No group is in two splits.

    The groups come in random order. Each goes to the test rows if that brings the number of rows there, or of each
    class, nearer to what is wanted, then to the validation rows by the same rule; the others are for training.

    Raises:
        SourceError: there are fewer groups than splits.
    """
    _need(groups, 1 + (sizes.test > 0) + (sizes.validation > 0), sizes)
    table, left = _table(groups, classes), random.permutation(groups.count)
    drawn: list[Indices] = []
    for size, later in ((sizes.test, 1 + (sizes.validation > 0)), (sizes.validation, 1)):
        taken = _nearest(table[left], size * table.sum(0) / table.sum(), len(left) - later) if size else []
        drawn.append(left[taken])
        left = np.delete(left, taken)
    test, validation, train = (np.flatnonzero(np.isin(groups.rows, part)) for part in (*drawn, left))
    return test, validation, train


def by_time(times: Codes, sizes: SplitSizes) -> Parts:
    """The last rows are the test rows, those before them the validation rows.

    Rows of one time are in the same split: each boundary is the one between two times that is nearest to the wanted
    number of rows.

    Raises:
        SourceError: there are fewer times than splits.
    """
    _need(times, 1 + (sizes.test > 0) + (sizes.validation > 0), sizes)
    before = np.concatenate(([0], np.bincount(times.rows, minlength=times.count).cumsum()))
    end = times.count  # of the rows that are left, as a number of times
    starts = []
    for size, earlier in ((sizes.test, 1 + (sizes.validation > 0)), (sizes.validation, 1)):
        if size:
            possible = np.arange(end - 1, earlier - 1, -1)  # of two boundaries as near, the later one
            end = int(possible[np.argmin(abs(before[possible] - (before[end] - size)))])
        starts.append(end)
    test, validation = starts
    rows = times.rows
    places = [rows >= test, (rows >= validation) & (rows < test), rows < validation]
    found = [np.flatnonzero(place) for place in places]
    return found[0], found[1], found[2]


def folds_at_random(rows: int, folds: int, random: np.random.Generator) -> Indices:
    """(N,) the fold of each row, from 0 on; the sizes differ by at most one row."""
    found = np.empty(rows, np.int64)
    for number, part in enumerate(np.array_split(random.permutation(rows), folds)):
        found[part] = number
    return found


def folds_by_class(classes: Indices, counts: Indices, folds: int, random: np.random.Generator) -> Indices:
    """The same, where the rows of each class differ by at most one too.

    Reference: scikit-learn, StratifiedKFold.
    """
    found = np.empty(len(classes), np.int64)
    sorted_classes = np.repeat(np.arange(len(counts)), counts)
    shares = [np.bincount(sorted_classes[fold::folds], minlength=len(counts)) for fold in range(folds)]
    for number in range(len(counts)):
        of_class = np.repeat(np.arange(folds), [share[number] for share in shares])
        found[classes == number] = random.permutation(of_class)
    return found


def folds_by_group(groups: Codes, classes: Indices | None, folds: int, random: np.random.Generator) -> Indices:
    """The same, where no group is in two folds: the largest first, each goes to the fold where the rows, or those of
    each class, come nearest to an equal share; groups of one size in random order.

    Reference: scikit-learn, GroupKFold and StratifiedGroupKFold.

    Raises:
        SourceError: there are fewer groups than folds.
    """
    if groups.count < folds:
        message = f"{groups.what} has {groups.count} {groups.word}, too few for {folds} folds"
        raise SourceError(message, ("split", groups.setting), "lower `folds`, or add rows of other groups")
    table = _table(groups, classes)
    order = random.permutation(groups.count)
    order = order[np.argsort(-table[order].sum(1), kind="stable")]
    weights = 1 / table.sum(0)
    held, fold_of = np.zeros((folds, table.shape[1])), np.empty(groups.count, np.int64)
    for place, group in enumerate(order):
        # The squared distance from equal shares grows by 2 n g + g**2, and a part that is the same in every fold.
        growth = (held * table[group] * weights).sum(1)
        empty = held.sum(1) == 0
        if empty.sum() >= groups.count - place:  # each of the groups that are left is needed by a fold without one
            growth[~empty] = np.inf
        best = np.flatnonzero(growth == growth.min())
        fold = best[np.argmin(held[best].sum(1))]
        held[fold] += table[group]
        fold_of[group] = fold
    return fold_of[groups.rows]


def _need(codes: Codes, splits: int, sizes: SplitSizes) -> None:
    if codes.count < splits:
        names = [name for name in ("train", "validation", "test") if name == "train" or getattr(sizes, name)]
        only = f"{codes.count} {codes.word if codes.count != 1 else codes.word[:-1]}"
        message = f"{codes.what} has {only}, too few for each of {', '.join(names)}"
        raise SourceError(message, ("split", codes.setting), f"add rows of other {codes.word}, or leave a split out")


def _table(groups: Codes, classes: Indices | None) -> Array:
    """(groups, classes) how many rows of each class every group has; one column without classes."""
    if classes is None:
        return np.bincount(groups.rows, minlength=groups.count)[:, np.newaxis]
    width = int(classes.max()) + 1
    return np.bincount(groups.rows * width + classes, minlength=groups.count * width).reshape(-1, width)


def _nearest(table: Array, wanted: Array, most: int) -> list[int]:
    """The places of the groups that are taken, in the order of `table`: at least one, at most `most`."""
    table, weights = table.astype(np.float64), 1 / np.maximum(wanted, 1e-9)
    missing, taken = wanted.astype(np.float64), list[int]()
    for place, rows in enumerate(table):
        if len(taken) == most or not (missing > 0).any():
            break
        if ((rows * (rows - 2 * missing)) * weights).sum() < 0:
            missing = missing - rows
            taken.append(place)
    if not taken:
        taken = [int(np.argmin(((table - wanted) ** 2 * weights).sum(1)))]
    return taken


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
