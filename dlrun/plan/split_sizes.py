"""The splits: how many rows each gets, when the rows cannot be split by class, and whether the rows of one differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlrun.language.experiment import Split

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many rows each split has."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True)
class Sameness:
    """Whether numbers that outputs are compared with differ between the rows of training, validation and test."""

    rows: tuple[int, ...]
    """How many rows each split has."""
    constant: tuple[bool, ...]
    """Whether a number is the same in all rows of the split."""
    several: bool
    """Whether a row has several numbers."""


def split_sizes(rows: int, split: Split) -> SplitSizes:
    """How many rows each split gets: shares are rounded to the nearest row, and the rest is for training."""
    validation, test = round(rows * split.validation), round(rows * split.test)
    return SplitSizes(rows - validation - test, validation, test)


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
