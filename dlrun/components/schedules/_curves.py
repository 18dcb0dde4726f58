"""Curves along which several schedules fall."""

from __future__ import annotations

import math


def cosine(progress: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * progress)) / 2


def between(first: float, last: float, share: float) -> float:
    """The value at a share of the way back from the last one to the first: the first at 1."""
    return last + (first - last) * share
