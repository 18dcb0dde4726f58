"""The report of an output that says yes or no for each of its fields."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlrun.trained.answers import Answers, Array
from dlrun.trained.report.calibration import calibration
from dlrun.trained.report.figures import Counted, Curve, WrongYes, YesOrNoDetails, YesOrNoField, YesOrNoReport
from dlrun.trained.report.largest import largest
from dlrun.trained.report.means import macro, scores
from dlrun.trained.report.ranking import curves

MOST_FIELDS = 12
"""Fields with curves."""
MOST_ROWS = 10
"""Wrong answers of a field that are listed."""
YES = "yes"
NO_CURVE = Curve(YES, float("nan"))
NO_DETAILS = YesOrNoDetails(NO_CURVE, NO_CURVE, None, ())
"""Where there are no probabilities."""


def report_yes_or_no(answers: Answers, true: Array, rows: Array) -> YesOrNoReport:
    """The report of an output.

    Args:
        answers: of the output, yes or no for each row and field.
        true: (N, fields), 0 and 1; another number where it is not known.
        rows: (N,), the places of the rows in the data.
    """
    used = [_used(answers.values[:, number], true[:, number]) for number in range(len(answers.fields))]
    fields = [
        _field(name, answers.values[places, number], true[places, number] == 1, counted)
        for number, (name, (places, counted)) in enumerate(zip(answers.fields, used, strict=True))
    ]
    for number in largest(np.array([one.errors for one in fields]), MOST_FIELDS):
        places = used[number][0]
        values, member = answers.values[places, number], true[places, number] == 1
        details = _details(values, member, rows[places]) if answers.are_probabilities else NO_DETAILS
        fields[number] = replace(fields[number], details=details)
    total = sum(one.counted.used for one in fields)
    accuracy = 1 - sum(one.errors for one in fields) / total if total else float("nan")
    return YesOrNoReport(answers.output, answers.are_probabilities, accuracy, macro(fields), tuple(fields))


def _used(values: Array, true: Array) -> tuple[Array, Counted]:
    """The places of the answers that count, and how many do not."""
    known, finite = (true == 0) | (true == 1), np.isfinite(values)
    places = np.flatnonzero(known & finite)
    return places, Counted(len(places), int((~known).sum()), int((known & ~finite).sum()))


def _field(name: str, values: Array, true: Array, counted: Counted) -> YesOrNoField:
    predicted = values > 0.5
    counts = np.bincount(2 * true + predicted, minlength=4).reshape(2, 2)
    right = counts[1, 1]
    precision, recall, f1 = (one[0] for one in scores(counts[1:].sum(1), counts[:, 1:].sum(0), counts[1:, 1]))
    accuracy = float((counts[0, 0] + right) / counted.used) if counted.used else float("nan")
    (no_no, no_yes), (yes_no, yes_yes) = counts.tolist()
    return YesOrNoField(name, counted, accuracy, precision, recall, f1, ((no_no, no_yes), (yes_no, yes_yes)), None)


def _details(values: Array, true: Array, rows: Array) -> YesOrNoDetails:
    with np.errstate(divide="ignore"):
        loss = 0.0 - np.log(np.where(true, values, 1 - values))
    worst = tuple(
        WrongYes(int(rows[i]), bool(true[i]), bool(values[i] > 0.5), float(values[i]), float(loss[i]))
        for i in largest(loss, MOST_ROWS)
    )
    return YesOrNoDetails(*curves(YES, values, true), calibration(YES, values, true), worst)
