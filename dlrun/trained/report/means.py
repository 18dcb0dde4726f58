"""Precision, recall and f1, and their means. A class that is neither true nor predicted has none of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dlrun.trained.answers import Array
from dlrun.trained.report.figures import Means


class Scored(Protocol):
    """A class, or the yes of a field."""

    @property
    def precision(self) -> float:
        """The share of its predictions that are right."""
        ...

    @property
    def recall(self) -> float:
        """The share of its rows that are found."""
        ...

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        ...


def scores(rows: Array, predicted: Array, right: Array) -> tuple[list[float], list[float], list[float]]:
    """Precision, recall and f1 of each class, of how often it is true, predicted, and both; NaN where one is 0/0."""
    with np.errstate(invalid="ignore"):
        return (right / predicted).tolist(), (right / rows).tolist(), (2 * right / (rows + predicted)).tolist()


def macro(found: Sequence[Scored]) -> Means:
    """The mean of those that have a value."""
    return weighted(found, [1] * len(found))


def weighted(found: Sequence[Scored], weights: Sequence[int]) -> Means:
    """The mean of those that have a value, each with its weight."""
    return Means(*(_mean([getattr(one, name) for one in found], weights) for name in ("precision", "recall", "f1")))


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    pairs = [(value, weight) for value, weight in zip(values, weights, strict=True) if value == value]
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else float("nan")
