"""The report of an output that predicts numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dlrun.trained.answers import Answers, Array
from dlrun.trained.report.figures import Counted, Histogram, NumberDetails, NumberField, NumbersReport, WrongNumber
from dlrun.trained.report.largest import largest

MOST_FIELDS = 12
"""Fields with residuals."""
MOST_POINTS = 500
MOST_ROWS = 10
"""Rows with large errors that are listed."""
BINS = 30
CLOSE = 1e-9
"""Residuals that differ by this share of their size are the same."""
NOT_DEFINED = float("nan")
SHARES = (0, 5, 25, 50, 75, 95, 100)
"""Of the quantiles, in percent."""


def report_numbers(answers: Answers, true: Array, rows: Array) -> NumbersReport:
    """The report of an output.

    Args:
        answers: of the output, a number for each row and field.
        true: (N, fields); NaN where one is not known.
        rows: (N,), the places of the rows in the data.
    """
    used = [_used(answers.values[:, number], true[:, number]) for number in range(len(answers.fields))]
    fields = [
        _field(name, answers.values[places, number], true[places, number], counted)
        for number, (name, (places, counted)) in enumerate(zip(answers.fields, used, strict=True))
    ]
    badness = np.nan_to_num(np.array([-one.r2 for one in fields], dtype=float), nan=-np.inf)
    for number in largest(badness, MOST_FIELDS):
        places = used[number][0]
        if len(places):
            details = _details(answers.values[places, number], true[places, number], rows[places])
            fields[number] = replace(fields[number], details=details)
    return NumbersReport(answers.output, tuple(fields))


def _used(values: Array, true: Array) -> tuple[Array, Counted]:
    """The places of the answers that count, and how many do not."""
    known = np.isfinite(true)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(true - values)
    places = np.flatnonzero(known & finite)
    return places, Counted(len(places), int((~known).sum()), int((known & ~finite).sum()))


def _field(name: str, values: Array, true: Array, counted: Counted) -> NumberField:
    if not counted.used:
        return NumberField(name, counted, NOT_DEFINED, NOT_DEFINED, NOT_DEFINED, None)
    residuals = true - values
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        squares = np.square(residuals)
        spread = np.square(true - true.mean()).sum() if (true != true[0]).any() else np.float64(NOT_DEFINED)
        r2 = 1 - squares.sum() / spread
        return NumberField(
            name, counted, float(np.abs(residuals).mean()), float(np.sqrt(squares.mean())), float(r2), None
        )


def _details(values: Array, true: Array, rows: Array) -> NumberDetails:
    residuals = true - values
    order = np.argsort(true, kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(len(order), MOST_POINTS)).round().astype(np.int64)]
    worst = tuple(
        WrongNumber(int(rows[i]), float(true[i]), float(values[i]), float(residuals[i]))
        for i in largest(np.abs(residuals), MOST_ROWS)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        quantiles = np.quantile(residuals, [share / 100 for share in SHARES]).tolist()
    return NumberDetails(
        dict(zip(map(str, SHARES), quantiles, strict=True)),
        _histogram(residuals),
        tuple(true[order].tolist()),
        tuple(values[order].tolist()),
        worst,
    )


def _histogram(residuals: Array) -> Histogram:
    low, high = float(residuals.min()), float(residuals.max())
    if not math.isfinite(high - low):
        return Histogram(low, high, (len(residuals),))
    size = max(abs(low), abs(high))
    if high - low <= CLOSE * size or high == low:  # one value, but for rounding: in the middle
        low, high = low - max(0.5, size / 2), high + max(0.5, size / 2)
    counts, _ = np.histogram(residuals, BINS, (low, high))
    return Histogram(low, high, tuple(counts.tolist()))
