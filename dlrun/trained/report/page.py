"""A report as a page that stands alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from dlrun.trained.report import tables, tables_of_classes, tables_of_numbers, tables_of_yes_or_no
from dlrun.trained.report.figures import (
    ClassesReport,
    NotKnown,
    NumbersReport,
    OutputReport,
    Report,
    YesOrNoReport,
)
from dlrun.trained.report.pictures import Picture, pictures
from dlrun.trained.report.tables_of_decisions import tables_of_decisions
from dlrun.trained.report.words import prefix
from dlrun.views import html_page
from dlrun.views.html_page import html, legend, table

STRONGEST = 60
"""The share of the colour of a cell in percent, so that its number can be read."""
FEW, SHORT, SHORTEST = 6, 8, 3
"""A longer name is turned above its column of the matrix: than 8 characters where there are few, or than 3."""
STYLE = """
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; max-width: 340px; }
figcaption { color: var(--soft); overflow-wrap: anywhere; }
.plot { max-width: 100%; height: auto; } .diagonal { stroke: var(--soft); stroke-dasharray: 4 4; fill: none; }
.matrix td, .matrix th { padding: .25rem .5rem; } .matrix td { text-align: right; }
.matrix th:first-child { padding-left: 0; }
.none { color: var(--soft); opacity: .5; }
.matrix th { vertical-align: bottom; } .turned span { writing-mode: vertical-rl; transform: rotate(180deg); }
"""
RIGHT, WRONG = "47 97 153", "168 68 58"
"""The colours of cells, with light or dark numbers on them."""


def as_html(report: Report, title: str, about: Mapping[str, str]) -> str:
    """The page, HTML.

    Args:
        report: what it shows.
        title: its title.
        about: what the report is of, in a few words, by name.
    """
    parts = [
        f"<p>{' · '.join(f'{html(name)}: {html(text)}' for name, text in about.items())}</p>" if about else "",
        f"<p>{report.rows:,} rows</p>",
        *([table(tables.metrics(report))] if report.metrics else []),
        *(part for one in report.outputs for part in _output(one, prefix(report, one))),
        *(table(grid) for one in report.decisions for grid in tables_of_decisions(one, prefix(report, one))),
        *(table(tables.groups(one)) for one in report.groups),
    ]
    return html_page.page(title, parts, STYLE)


def _output(one: OutputReport, before: str) -> Iterator[str]:
    if isinstance(one, NotKnown):
        yield table(tables.not_known(one))
    elif isinstance(one, ClassesReport):
        yield from _classes(one, before)
    elif isinstance(one, YesOrNoReport):
        yield from _yes_or_no(one, before)
    else:
        yield from _numbers(one, before)


def _classes(one: ClassesReport, before: str) -> Iterator[str]:
    if not one.counted.used:
        yield table(tables_of_classes.nothing_counts(one, before))
        return
    yield table(tables_of_classes.classes(one, before))
    yield _matrix(one, before)
    if one.matrix.others:
        yield table(tables_of_classes.confusions(one, before))
    yield _plots(f"{before}Curves and calibration", list(pictures(one)))
    yield from map(table, tables_of_classes.wrong_classes(one, before))


def _matrix(one: ClassesReport, before: str) -> str:
    """The confusion matrix; the more of a row's answers a cell has, the stronger its colour."""
    grid = tables_of_classes.matrix(one, before)
    names = grid.columns[1:]
    longest = SHORT if len(names) <= FEW else SHORTEST
    head = "".join(
        f'<th class="{"turned" if len(name) > longest else "right"}"><span>{html(name)}</span></th>' for name in names
    )
    lines = []
    for number, (counts, row) in enumerate(zip(one.matrix.counts, grid.rows, strict=True)):
        total = sum(counts)
        cells = []
        for place, (count, text) in enumerate(zip(counts, row[1:], strict=True)):
            share = count / total if total else 0.0
            hint = html(f"{row[0]} predicted as {names[place]}: {share:.1%}")
            mixed = one.matrix.others and number == place == len(counts) - 1
            cells.append(f'<td{"" if mixed else _shade(share, number == place)} title="{hint}">{text}</td>')
        lines.append(f"<tr><th>{html(row[0])}</th>{''.join(cells)}</tr>")
    return (
        f'<h2>{html(grid.title)}</h2><div class="wide"><table class="matrix"><tr><th>{html(grid.columns[0])}</th>{head}'
        f"</tr>{''.join(lines)}</table></div>"
        "<p>blue: right; red: wrong; the stronger, the larger is the share of the row</p>"
    )


def _shade(share: float, right: bool) -> str:
    """The attributes of a cell with so much of its row. The root of the share shows small ones too."""
    if not share:
        return ' class="none"'
    strength = f"{math.sqrt(share) * STRONGEST:.0f}%"
    return f' style="background:rgb({RIGHT if right else WRONG}/{strength})"'


def _plots(title: str, drawn: Sequence[Picture]) -> str:
    """Plots side by side, each above its caption and its legend; '' where there are none."""
    figures = [
        f"<figure>{one.svg}<figcaption>{html(one.caption)} {legend(one.keys)}</figcaption></figure>" for one in drawn
    ]
    return f'<h2>{html(title)}</h2><div class="plots">{"".join(figures)}</div>' if figures else ""


def _yes_or_no(one: YesOrNoReport, before: str) -> Iterator[str]:
    yield table(tables_of_yes_or_no.yes_or_no(one, before))
    if drawn := list(pictures(one)):
        yield _plots(f"{before}Curves and calibration", drawn)
        yield table(tables_of_yes_or_no.wrong_yes(one, before))


def _numbers(one: NumbersReport, before: str) -> Iterator[str]:
    yield table(tables_of_numbers.numbers(one, before))
    if any(item.details for item in one.fields):
        yield table(tables_of_numbers.residuals(one, before))
        yield _plots(f"{before}Predicted and true numbers", list(pictures(one)))
        yield table(tables_of_numbers.largest_errors(one, before))
