"""The words of a text: the one rule for all that splits texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

Unit = Literal["character", "word"]
WORD = re.compile(r"\w+|[^\w\s]")
"""A run of letters, digits and `_`, of any script; or any other character but a space."""


def splitter(unit: Unit) -> Callable[[str], Sequence[str]]:
    """What splits a text into its characters or its words, in order."""
    return str if unit == "character" else WORD.findall
