"""The report of an output that predicts one of several classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlrun.trained.answers import Answers, Array
from dlrun.trained.report.calibration import calibration
from dlrun.trained.report.figures import (
    Calibration,
    ClassesReport,
    ClassFigures,
    Confusion,
    Counted,
    Matrix,
    WrongClass,
)
from dlrun.trained.report.largest import largest
from dlrun.trained.report.means import macro, scores, weighted
from dlrun.trained.report.ranking import curves

MOST_CLASSES = 20
"""Classes of the matrix and of the curves."""
MOST_CONFUSIONS = 10
MOST_ROWS = 10
"""Wrong answers that are listed."""
MOST_VALUES = 5
"""Of an answer, of more than ten classes."""


def report_classes(answers: Answers, true: Array, rows: Array) -> ClassesReport:
    """The report of an output.

    Args:
        answers: of the output, a class for each row or position.
        true: (N, ...), class numbers; below 0 where one does not count.
        rows: (N,), the places of the rows in the data.
    """
    labels, shape = answers.labels, true.shape
    values, true = answers.values.reshape(-1, len(labels)), true.reshape(-1)
    known, finite = true >= 0, np.isfinite(values).all(1)
    places = np.flatnonzero(known & finite)
    if len(places) < len(true):
        values, true = values[places], true[places]
    predicted = values.argmax(1)

    pairs = _pairs(true, predicted, len(labels))
    figures = _figures(labels, true, predicted, pairs)
    chosen = sorted(largest(np.array([one.errors for one in figures]), MOST_CLASSES))
    ranked = (chosen if len(labels) > 2 else chosen[1:]) if answers.are_probabilities else []
    both = [curves(labels[c], values[:, c], true == c) for c in ranked]
    losses = _losses(values, true) if answers.are_probabilities else np.full(len(true), np.nan)

    def far(number: int) -> WrongClass:
        row, *position = map(int, np.unravel_index(places[number], shape))
        one, other = int(true[number]), int(predicted[number])
        listed = _highest(labels, values[number], one)
        loss = float(losses[number])
        return WrongClass(int(rows[row]), tuple(position), labels[one], labels[other], loss, listed)

    wrong = np.flatnonzero(true != predicted)
    return ClassesReport(
        output=answers.output,
        field=answers.fields[0],
        counted=Counted(len(places), int((~known).sum()), int((known & ~finite).sum())),
        positions=len(shape) > 1,
        probabilities=answers.are_probabilities,
        accuracy=float((true == predicted).mean()) if len(true) else float("nan"),
        classes=figures,
        macro=macro(figures),
        weighted=weighted(figures, [one.rows for one in figures]),
        matrix=_matrix(labels, true, predicted, chosen),
        confusions=tuple(Confusion(labels[a], labels[b], count) for a, b, count in pairs[:MOST_CONFUSIONS]),
        roc=tuple(roc for roc, _ in both),
        precision_recall=tuple(precision_recall for _, precision_recall in both),
        calibration=_calibration(labels, values, true, predicted) if answers.are_probabilities else None,
        most_certain=tuple(map(far, wrong[largest(values[wrong, predicted[wrong]], MOST_ROWS)].tolist())),
        highest_loss=tuple(map(far, largest(losses, MOST_ROWS))) if answers.are_probabilities else (),
    )


def _calibration(labels: Sequence[str], values: Array, true: Array, predicted: Array) -> Calibration:
    """That of the second of two classes, or else of the predicted one, as the metric calibration_error has it."""
    if len(labels) == 2:
        return calibration(labels[1], values[:, 1], true == 1)
    return calibration("", values.max(1), true == predicted)


def _losses(values: Array, true: Array) -> Array:
    with np.errstate(divide="ignore"):
        return 0.0 - np.log(values[np.arange(len(true)), true])


def _pairs(true: Array, predicted: Array, classes: int) -> list[tuple[int, int, int]]:
    """Each true class with a class that it is taken for, and how often: the most frequent first."""
    wrong = true != predicted
    found, counts = np.unique(true[wrong].astype(np.int64) * classes + predicted[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(*divmod(int(found[i]), classes), int(counts[i])) for i in order]


def _figures(
    labels: Sequence[str], true: Array, predicted: Array, pairs: Sequence[tuple[int, int, int]]
) -> tuple[ClassFigures, ...]:
    rows = np.bincount(true, minlength=len(labels))
    answers = np.bincount(predicted, minlength=len(labels))
    right = np.bincount(true[true == predicted], minlength=len(labels))
    taken: dict[int, tuple[str, int]] = {}
    for one, other, count in pairs:
        taken.setdefault(one, (labels[other], count))
    precision, recall, f1 = scores(rows, answers, right)
    return tuple(
        ClassFigures(
            label,
            int(rows[number]),
            int(answers[number]),
            int(right[number]),
            precision[number],
            recall[number],
            f1[number],
            *taken.get(number, ("", 0)),
        )
        for number, label in enumerate(labels)
    )


def _matrix(labels: Sequence[str], true: Array, predicted: Array, chosen: Sequence[int]) -> Matrix:
    others = len(chosen) < len(labels)
    size = len(chosen) + others
    place = np.full(len(labels), size - 1)
    place[list(chosen)] = np.arange(len(chosen))
    counts = np.bincount(place[true] * size + place[predicted], minlength=size**2).reshape(size, size)
    return Matrix(tuple(labels[number] for number in chosen), tuple(map(tuple, counts.tolist())), others)


def _highest(labels: Sequence[str], values: Array, true: int) -> dict[str, float]:
    shown = largest(values, len(values) if len(values) <= 2 * MOST_VALUES else MOST_VALUES)
    return {labels[number]: float(values[number]) for number in dict.fromkeys([*shown, true])}
