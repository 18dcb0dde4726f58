"""From the answers of a network to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dlrun.trained.answers import Answers, Array
from dlrun.trained.report.classes import report_classes
from dlrun.trained.report.decisions import report_decision
from dlrun.trained.report.figures import NotKnown, OutputReport, Report
from dlrun.trained.report.groups import grouping
from dlrun.trained.report.numbers import report_numbers
from dlrun.trained.report.yes_or_no import report_yes_or_no


def report(
    answers: Sequence[Answers], metrics: Mapping[str, float], rows: Array, groups: Mapping[str, Array] | None = None
) -> Report:
    """How good the answers are.

    Args:
        answers: of each output, for the same rows.
        metrics: by name, of these rows.
        rows: (N,), the places of the rows in the data.
        groups: for each column that divides the rows, (N,), the text of each row.
    """
    return Report(
        len(rows),
        {name: float(value) for name, value in metrics.items()},
        tuple(_output(one, rows) for one in answers),
        tuple(grouping(column, values, answers) for column, values in (groups or {}).items()),
        tuple(found for one in answers if (found := report_decision(one)) is not None),
    )


def _output(answers: Answers, rows: Array) -> OutputReport:
    if answers.true is None:
        return NotKnown(answers.output, answers.kind)
    make = {"classes": report_classes, "yes_or_no": report_yes_or_no, "numbers": report_numbers}[answers.kind]
    return make(answers, answers.true, rows)
