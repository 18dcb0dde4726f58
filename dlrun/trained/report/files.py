"""A report as files: a page, its data, and each table and plot by itself, in the forms that MLflow's pages show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from dlrun.runs import folder as run_folder
from dlrun.trained.report import tables
from dlrun.trained.report.figures import Report
from dlrun.trained.report.page import as_html
from dlrun.trained.report.pictures import pictures
from dlrun.trained.report.words import prefix
from dlrun.views.grid import Grid

NO_LIMIT = 10**6
"""Characters in a line of a table that is not for a screen."""


def files_of(report: Report, run: str, rows: str) -> Iterator[tuple[str, str]]:
    """The name and the text of each file.

    Args:
        report: what they show.
        run: the name of the run.
        rows: which rows it is of.
    """
    yield "report.html", as_html(report, f"Evaluation of {run}", {"rows": rows})
    yield "report.json", json.dumps(report.as_data(), indent=1)
    named, drawn = set[str](), set[str]()
    for grid in tables.whole(report, NO_LIMIT):
        if grid.rows:
            yield _name(grid.title, named) + run_folder.TABLE, _table(grid)
    for one in report.outputs:
        for picture in pictures(one):
            yield _name(prefix(report, one) + picture.name, drawn) + ".svg", picture.alone()


def _table(grid: Grid) -> str:
    """A table as MLflow's `log_table` writes it."""
    return json.dumps({"columns": grid.columns, "data": grid.rows})


def _name(title: str, taken: set[str]) -> str:
    """The name of a file for a title: letters, digits and underscores; another one for each."""
    plain = re.sub(r"\W+", "_", title.lower()).strip("_")[:60] or "table"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name)
    return name
