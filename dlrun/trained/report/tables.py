"""The tables of a report for the screen, and those that are not about one output alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dlrun.language.labels import shown
from dlrun.trained.report.figures import ClassesReport, Grouping, NotKnown, OutputReport, Report, YesOrNoReport
from dlrun.trained.report.tables_of_classes import tables_of_classes
from dlrun.trained.report.tables_of_decisions import tables_of_decisions
from dlrun.trained.report.tables_of_numbers import tables_of_numbers
from dlrun.trained.report.tables_of_yes_or_no import tables_of_yes_or_no
from dlrun.trained.report.words import NO_TRUTH, name_of, prefix
from dlrun.views.grid import Grid, and_more, distinct, fitting, show_value

MOST_METRICS, MOST_GROUPS = 30, 20
"""On the screen; a metric may have a value for each class, or each pair of them."""


def whole(report: Report, width: int) -> Iterator[Grid]:
    """All tables, as wide as the screen is."""
    if report.metrics:
        yield _cut(metrics(report, MOST_METRICS), width)
    for one in report.outputs:
        for grid in _output(one, prefix(report, one), width):
            yield _cut(grid, width)
    for one in report.decisions:
        for grid in tables_of_decisions(one, prefix(report, one)):
            yield _cut(grid, width)
    for one in report.groups:
        yield _cut(groups(one), width)


def metrics(report: Report, most: int | None = None) -> Grid:
    """The metrics, one below the other: all, or the first ones."""
    listed = list(report.metrics.items())[:most]
    rows = tuple((shown(name), show_value(value)) for name, value in listed)
    more = and_more(len(report.metrics) - len(rows), "value") if len(rows) < len(report.metrics) else ""
    return Grid("Metrics", ("metric", "value"), rows, ("value",), more)


def _output(one: OutputReport, before: str, width: int) -> Iterator[Grid]:
    if isinstance(one, NotKnown):
        yield not_known(one)
    elif isinstance(one, ClassesReport):
        yield from tables_of_classes(one, before, width)
    elif isinstance(one, YesOrNoReport):
        yield from tables_of_yes_or_no(one, before)
    else:
        yield from tables_of_numbers(one, before)


def not_known(one: NotKnown) -> Grid:
    """What is said of an output whose truth is not known."""
    return Grid(one.output, (), (), below=NO_TRUTH)


def groups(one: Grouping) -> Grid:
    """A line for each group of a column."""
    listed = one.groups[:MOST_GROUPS]
    figures = one.groups[0].figures if one.groups else ()
    several = len(figures) > 1
    columns = distinct(
        (
            name_of(one.column),
            "rows",
            *(
                f"{figure.name} of {name_of(figure.field or figure.output)}" if several else figure.name
                for figure in figures
            ),
        )
    )
    rows = tuple(
        (
            f"{group.joined:,} values of one row each" if group.joined else name_of(group.name),
            f"{group.rows:,}",
            *(show_value(figure.value) for figure in group.figures),
        )
        for group in listed
    )
    more = and_more(len(one.groups) - len(listed), "group") if len(listed) < len(one.groups) else ""
    return Grid(f"By {name_of(one.column)}", columns, rows, columns[1:], more)


def _cut(grid: Grid, width: int) -> Grid:
    """The columns that fit; the line below names the others."""
    count = max(1, fitting(grid.columns, grid.rows, width)) if grid.columns else 0
    if count == len(grid.columns):
        return grid
    missing = f"too wide for the screen: {', '.join(grid.columns[count:])}"
    rows = tuple(row[:count] for row in grid.rows)
    below = f"{grid.below}; {missing}" if grid.below else missing
    return replace(grid, columns=grid.columns[:count], rows=rows, below=below)
