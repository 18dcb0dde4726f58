"""The tables of an output that predicts numbers."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.trained.report.figures import NumberField, NumbersReport
from dlrun.trained.report.words import left_out, name_of
from dlrun.views.grid import Grid, and_more, show_value

MOST_FIELDS = 20
"""Fields that are shown where none has details."""
MOST_ROWS = 20
"""Rows with large errors that are listed."""


def tables_of_numbers(one: NumbersReport, before: str) -> Iterator[Grid]:
    """All of them; `before` stands before their titles."""
    yield numbers(one, before)
    if any(item.details for item in one.fields):
        yield residuals(one, before)
        yield largest_errors(one, before)


def numbers(one: NumbersReport, before: str) -> Grid:
    """A line for each field."""
    listed = _detailed(one)
    head = ("field", "rows", "MAE", "RMSE", "R2")
    rows = tuple(
        (name_of(item.field), f"{item.counted.used:,}", *map(show_value, (item.mae, item.rmse, item.r2)))
        for item in listed
    )
    remarks = []
    if len(listed) < len(one.fields):
        remarks.append(f"{and_more(len(one.fields) - len(listed), 'field')}, with a higher R2 or none")
    remarks += [f"{name_of(item.field)}: {text}" for item in listed for text in left_out(item.counted, "rows")]
    return Grid(f"{before}Numbers", head, rows, head[1:], "; ".join(remarks))


def _detailed(one: NumbersReport) -> list[NumberField]:
    """The fields that are shown: those with details, or else the first ones."""
    return [item for item in one.fields if item.details] or list(one.fields[:MOST_FIELDS])


QUANTILES = {"0": "lowest", "50": "median", "100": "highest"}
"""The names of some of the quantiles."""


def residuals(one: NumbersReport, before: str) -> Grid:
    """The quantiles of the residuals of each field."""
    listed = [(item.field, item.details.quantiles) for item in one.fields if item.details]
    head = ("field", *(QUANTILES.get(share, f"{share} %") for share in listed[0][1]))
    rows = tuple((name_of(field), *map(show_value, quantiles.values())) for field, quantiles in listed)
    below = "the true number minus the predicted one; so many percent of them are lower"
    return Grid(f"{before}Residuals", head, rows, head[1:], below)


def largest_errors(one: NumbersReport, before: str) -> Grid:
    """The rows with the largest errors: some of each field."""
    listed = [item for item in one.fields if item.details]
    most = max(2, MOST_ROWS // max(1, len(listed)))
    rows = tuple(
        (name_of(item.field), f"{wrong.row:,}", *map(show_value, (wrong.true, wrong.predicted, wrong.residual)))
        for item in listed
        if item.details
        for wrong in item.details.largest_errors[:most]
    )
    columns = ("field", "row", "true", "predicted", "residual")
    return Grid(f"{before}Largest errors", columns, rows, columns[1:])
