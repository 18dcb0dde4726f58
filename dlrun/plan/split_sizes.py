"""The splits: how many rows each gets, when the rows cannot be split by class, and whether the rows of one differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dlrun.language.split import SHARE, Split

NONE_APART: Mapping[str, int] = MappingProxyType({})
SPLITS = ("train", "validation", "test")
ClassCounts = Mapping[str, Mapping[str, Sequence[int]]]
"""For each target and each class how many rows, or positions, it has in training, validation and test."""


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many rows each split has."""

    train: int
    validation: int
    test: int

    def in_training(self, split: Split) -> SplitSizes:
        """How many rows each split has in a training, where drawn validation rows may be training rows."""
        return SplitSizes(self.train + self.validation, 0, self.test) if split.train_on_validation else self


@dataclass(frozen=True, slots=True)
class Sameness:
    """Whether numbers that outputs are compared with differ between the rows of training, validation and test."""

    rows: tuple[int, ...]
    """How many rows each split has."""
    constant: tuple[bool, ...]
    """Whether a number is the same in all rows of the split."""
    several: bool
    """Whether a row has several numbers."""


def split_sizes(rows: int, split: Split, apart: Mapping[str, int] = NONE_APART) -> SplitSizes:
    """How many rows are drawn for each split: shares are rounded to the nearest row, and the rest is for training.

    Args:
        rows: how many there are in all.
        split: the shares and the numbers.
        apart: how many rows of a split the data keeps apart; the shares are of the others.
    """
    others = rows - sum(apart.values())
    if split.folds is None:
        test = apart.get("test", _size(others, split.test))
        validation = apart.get("validation", _size(others, split.validation))
    else:
        test = others // split.folds + ((split.fold or 1) <= others % split.folds)
        validation = _size(others - test, split.validation)
    return SplitSizes(rows - validation - test, validation, test)


def _size(rows: int, asked: float | None) -> int:
    """How many of the rows a share or a number is."""
    if asked is None:
        return round(rows * SHARE)
    return asked if isinstance(asked, int) else round(rows * asked)


def unstratifiable(counts: Sequence[int], labels: Sequence[str], sizes: SplitSizes) -> Iterator[tuple[str, str]]:
    """Why the rows cannot be split by class, each with a way out; nothing where they can.

    Args:
        counts: how many rows each class has.
        labels: the names of the classes.
        sizes: how many rows each split is to have.
    """
    wanted = {"train": sizes.train, "validation": sizes.validation, "test": sizes.test}
    splits = {name: size for name, size in wanted.items() if size or name == "train"}
    for label, count in zip(labels, counts, strict=True):
        if count < len(splits):
            message = (
                f"class '{label}' has {count} row{'s' * (count != 1)}, too few to be in each of {', '.join(splits)}"
            )
            yield message, "add rows of the class, or leave `stratify` out"
    for name, size in splits.items():
        if size < len(counts):
            message = f"{name} has {size} row{'s' * (size != 1)}, too few for one of each of {len(counts)} classes"
            yield message, "raise its share, or leave `stratify` out"


def few_for_folds(counts: Sequence[int], labels: Sequence[str], folds: int) -> Iterator[tuple[str, str]]:
    """The classes that have too few rows to be in each fold, each with a way out; see `unstratifiable`."""
    for label, count in zip(labels, counts, strict=True):
        if count < folds:
            message = f"class '{label}' has {count} row{'s' * (count != 1)}, too few to be in each of {folds} folds"
            yield message, "add rows of the class, lower `folds`, or leave `stratify` out"
