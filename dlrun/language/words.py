"""The words of a text, and which of them have an index: the one rule for all that splits texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

Unit = Literal["character", "word"]
WORD = re.compile(r"\w+|[^\w\s]")
"""A run of letters, digits and `_`, of any script; or any other character but a space."""


def splitter(unit: Unit) -> Callable[[str], Sequence[str]]:
    """What splits a text into its characters or its words, in order."""
    return str if unit == "character" else WORD.findall


def most_frequent(counts: Iterable[tuple[str, int]], minimum: int, most: int | None) -> list[str]:
    """The most frequent words first, and equally frequent ones in the order of the alphabet.

    Args:
        counts: how often each word is there.
        minimum: how often one must be there to be among them.
        most: how many there are at most; None for no limit.
    """
    frequent = sorted((-count, word) for word, count in counts if count >= max(1, minimum))
    return [word for _, word in frequent[:most]]
