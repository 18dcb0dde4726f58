"""The ways to read a target: a loss chooses one, a metric is made for some, a source reads the data so."""

from __future__ import annotations

from typing import Literal

TargetKind = Literal["classes", "binary", "numbers", "nothing"]
"""One class number a row; 0 or 1 for each output; numbers; or no target at all."""

IN_WORDS: dict[TargetKind, str] = {
    "classes": "classes",
    "binary": "yes or no",
    "numbers": "numbers",
    "nothing": "nothing",
}
"""Each kind as messages name it."""
