"""The tables of an output that says yes or no for each of its fields."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.trained.report.figures import YesOrNoReport
from dlrun.trained.report.words import NO_PROBABILITIES, left_out, name_of, scores
from dlrun.views.grid import Grid, and_more, show_value

MOST_ROWS = 20
"""Wrong answers that are listed."""


def tables_of_yes_or_no(one: YesOrNoReport, before: str) -> Iterator[Grid]:
    """All of them; `before` stands before their titles."""
    yield yes_or_no(one, before)
    if one.probabilities:
        yield wrong_yes(one, before)


def yes_or_no(one: YesOrNoReport, before: str) -> Grid:
    """A line for each field, and the means over the fields."""
    listed = [item for item in one.fields if item.details]
    head = ("field", "rows", "yes", "accuracy", "recall", "precision", "f1", "ROC area", "average precision")
    rows = []
    for item in listed:
        assert item.details is not None
        areas = (item.details.roc.area, item.details.precision_recall.area)
        cells = (name_of(item.field), f"{item.counted.used:,}", f"{sum(item.counts[1]):,}", show_value(item.accuracy))
        rows.append((*cells, *scores(item), *map(show_value, areas)))
    rows.append(("mean", "", "", show_value(one.accuracy), *scores(one.macro), "", ""))
    remarks = [] if one.probabilities else [NO_PROBABILITIES]
    if len(listed) < len(one.fields):
        remarks.append(f"{and_more(len(one.fields) - len(listed), 'field')}, with fewer errors")
    remarks += [f"{name_of(item.field)}: {text}" for item in listed for text in left_out(item.counted, "rows")]
    return Grid(f"{before}Yes or no", head, tuple(rows), head[1:], "; ".join(remarks))


def wrong_yes(one: YesOrNoReport, before: str) -> Grid:
    """The answers that are furthest from the truth, of all fields."""
    found = [(item.field, wrong) for item in one.fields if item.details for wrong in item.details.highest_loss]
    found.sort(key=lambda pair: -pair[1].loss)
    rows = tuple(
        (
            f"{wrong.row:,}",
            name_of(field),
            _yes(wrong.true),
            _yes(wrong.predicted),
            show_value(wrong.loss),
            f"{wrong.probability:.3f}",
        )
        for field, wrong in found[:MOST_ROWS]
    )
    columns = ("row", "field", "true", "predicted", "loss", "probability of yes")
    return Grid(f"{before}Highest loss", columns, rows, ("row", "loss", "probability of yes"))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
