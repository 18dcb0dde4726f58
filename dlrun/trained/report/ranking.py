"""Curves of how well probabilities rank the rows of one class before all others."""

from __future__ import annotations

import numpy as np

from dlrun.trained.answers import Array
from dlrun.trained.report.figures import Curve

MOST_POINTS = 200
DIGITS = 6
"""Decimals of a point."""
NOT_DEFINED = float("nan")


def curves(label: str, probabilities: Array, member: Array) -> tuple[Curve, Curve]:
    """The ROC curve of a class, and the curve of its precision against its recall.

    Args:
        label: the class.
        probabilities: (N,), that of the class.
        member: (N,), whether it is true.
    """
    hits, alarms = _thresholds(probabilities, member)
    return _roc(label, hits, alarms), _precision_recall(label, hits, alarms)


def _thresholds(probabilities: Array, member: Array) -> tuple[Array, Array]:
    """For each probability that occurs, from the highest on: how many rows of the class have at least that, and how
    many others."""
    order = np.argsort(-probabilities)
    sorted_ = probabilities[order]
    last = np.flatnonzero(np.append(sorted_[1:] != sorted_[:-1], True)) if len(sorted_) else order
    hits = np.cumsum(member[order])[last]
    return hits, last + 1 - hits


def _roc(label: str, hits: Array, alarms: Array) -> Curve:
    if not len(hits) or not hits[-1] or not alarms[-1]:
        return Curve(label, NOT_DEFINED)
    x, y = np.append(0, alarms) / alarms[-1], np.append(0, hits) / hits[-1]
    return _thinned(label, float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2), x, y)


def _precision_recall(label: str, hits: Array, alarms: Array) -> Curve:
    if not len(hits) or not hits[-1]:
        return Curve(label, NOT_DEFINED)
    precision, recall = hits / (hits + alarms), hits / hits[-1]
    area = float((np.diff(recall, prepend=0) * precision).sum())
    return _thinned(label, area, np.append(0, recall), np.append(1, precision))


def _thinned(label: str, area: float, x: Array, y: Array) -> Curve:
    """The curve with at most 200 of its points, at even distances along it, where a step to the side and one upwards
    are added: no part between two points is long. The ends stay."""
    moved = np.append(True, (np.diff(x) != 0) | (np.diff(y) != 0))
    x, y = x[moved], y[moved]
    turns = np.ones(len(x), bool)
    turns[1:-1] = (x[1:-1] - x[:-2]) * (y[2:] - y[1:-1]) != (y[1:-1] - y[:-2]) * (x[2:] - x[1:-1])
    x, y = x[turns], y[turns]
    if len(x) > MOST_POINTS:
        along = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        chosen = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS)).clip(max=len(x) - 1))
        chosen[-1] = len(x) - 1
        x, y = x[chosen], y[chosen]
    return Curve(label, area, *(tuple(np.round(values, DIGITS).tolist()) for values in (x, y)))
