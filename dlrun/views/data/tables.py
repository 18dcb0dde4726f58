"""The tables of the overview of the data: for the screen and for the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlrun.language.labels import shown as label_shown
from dlrun.shapes import show
from dlrun.views.data.overview import DIGEST, FieldSummary, Overview, Stage
from dlrun.views.grid import Grid, and_more, distinct

MOST_CLASSES = 12
"""Classes that get a column of their own; of more, the page shows them all, the screen the first."""
MOST_COLUMNS = 8
"""Columns of the first rows that a screen shows."""


def splits(overview: Overview, most: int | None = MOST_CLASSES) -> Iterator[Grid]:
    """How many rows each split has, and for each target how many of each class."""
    rows = tuple(
        (one.name, f"{one.rows:,}", f"{one.rows / overview.rows:.1%}", one.fingerprint[:DIGEST])
        for one in overview.splits
    )
    yield Grid("Splits", ("split", "rows", "share", "hash"), rows, ("rows", "share"))
    targets = dict.fromkeys(name for one in overview.splits for name in one.classes)
    for target in targets:
        labels = list(dict.fromkeys(label for one in overview.splits for label in one.classes.get(target, ())))
        shown = labels if most is None else labels[:most]
        totals = [sum(one.classes.get(target, {}).values()) for one in overview.splits]
        rows = tuple(
            (
                label_shown(label),
                *(
                    f"{(count := one.classes[target].get(label, 0)):,}  {count / max(1, total):>5.1%}"
                    for one, total in zip(overview.splits, totals, strict=True)
                ),
            )
            for label in shown
        )
        names = tuple(one.name for one in overview.splits)
        more = and_more(len(labels) - len(shown), "class", "classes") if len(shown) < len(labels) else ""
        what = "Classes" if len(targets) == 1 else f"Classes of {target}"
        yield Grid(what, ("class", *names), rows, names, more)


def fields(found: Sequence[FieldSummary], most: int | None = None) -> Grid:
    """Every field with its type and what it is used for, and its values over the training rows."""
    shown = found if most is None else found[:most]
    rows = tuple(
        (one.name, one.type, one.use, "" if one.missing is None else f"{one.missing:,}", one.summary) for one in shown
    )
    more = and_more(len(found) - len(shown), "field") if len(shown) < len(found) else ""
    columns = ("field", "type", "use", "missing", "in the training rows")
    return Grid("Fields", columns, rows, ("missing",), more)


def stage(one: Stage, several: bool, most: int | None = MOST_COLUMNS) -> Grid:
    """The first training rows at one point on their way into the network; `several` says that there are more inputs."""
    shown = len(one.columns) if most is None else min(most, len(one.columns))
    rows = tuple(row[:shown] for row in one.rows)
    more = []
    if shown < len(one.columns):
        more.append(and_more(len(one.columns) - shown, "column"))
    if one.variance:
        more.append(variance(one, most))
    where = f"{one.input}: " if several else ""
    names = distinct(one.columns[:shown])
    return Grid(f"{where}{one.title}  {show(one.shape)}", names, rows, names, "; ".join(more))


def variance(one: Stage, most: int | None = MOST_COLUMNS) -> str:
    """The share of the variance along each direction of a projection, in a line."""
    shares = one.variance if most is None else one.variance[:most]
    parts = ", ".join(f"{share:.1%}" for share in shares) + (", …" if len(shares) < len(one.variance) else "")
    return f"variance along each direction {parts}; together {sum(one.variance):.1%}"
