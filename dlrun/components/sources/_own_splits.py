"""Rows that the data keeps apart itself for training, validation and test: how it names them, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dlrun.components.sources import SplitName

Part = Literal["train", SplitName]
ORDER: tuple[Part, ...] = ("train", "validation", "test")
WORDS: dict[str, Part] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""The words that say it in the name of a folder or an array."""


def own_splits(sizes: Mapping[Part, int]) -> dict[SplitName, range]:
    """The rows of each part but the training rows, where the parts come in `ORDER`, each with its number of rows."""
    found: dict[SplitName, range] = {}
    start = 0
    for part in ORDER:
        if part in sizes:
            rows = range(start, start := start + sizes[part])
            if part != "train":
                found[part] = rows
    return found
