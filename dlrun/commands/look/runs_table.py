"""The runs of a folder as a table and as data."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

from dlrun.commands import screen
from dlrun.errors import without_password

if TYPE_CHECKING:
    from dlrun.runs.summary import RunSummary

BEFORE_TIMES = 3
"""How many settings and test metrics are more important than the times: a run's name often says when it was started."""


def as_data(run: RunSummary) -> dict[str, Any]:
    """All that is known of a run, as JSON-ready data; a value that is not finite is a text."""
    from dlrun.runs.checksummed_json import as_json

    info = run.info
    return {
        "name": run.name,
        "path": str(info.folder.resolve()),
        "experiment": info.experiment,
        "status": run.status,
        "started": datetime.datetime.fromtimestamp(info.started / 1000, datetime.UTC).isoformat(),
        "seconds": run.seconds,
        "best_epoch": run.best_epoch,
        "monitor": run.monitor,
        "settings": {name: without_password(value) for name, value in info.params.items()},
        "metrics": as_json(run.metrics),
        "tags": info.tags,
    }


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: list[str]
    place: int
    """Its part of the table, from the left: what a run is, its settings, what decides, its test."""
    right: bool = False


def show(found: Sequence[RunSummary], sort: str) -> None:
    """Print the table; `sort` is what it is sorted by."""
    from dlrun.runs.find import few
    from dlrun.views.text_table import grid

    columns = _columns(found, sort)

    def lines(count: int) -> tuple[list[str], list[str]]:
        shown = sorted(columns[:count], key=lambda column: column.place)
        rows = list(zip(*(column.cells for column in shown), strict=True))
        return grid([column.name for column in shown], rows, [column.name for column in shown if column.right])

    count = next(
        (count for count in range(len(columns), 2, -1) if max(map(len, chain(*lines(count)))) <= screen.width()), 2
    )
    screen.grid(*lines(count))
    if left := [column.name for column in columns[count:]]:
        screen.say_folded(f"not shown: {few(left)}; --json has all", hanging=2)


def _columns(found: Sequence[RunSummary], sort: str) -> list[_Column]:
    """All columns, those first that are shown where only some fit."""
    from dlrun.runs.settings import differing, short_names, short_value

    metrics = list(dict.fromkeys(one.monitor for one in found))
    if sort not in metrics and any(sort in one.metrics for one in found):
        metrics.append(sort)
    settings = differing([one.settings for one in found])
    if sort in settings:
        settings.insert(0, settings.pop(settings.index(sort)))
    of_settings = [
        _Column(short, [short_value(one.settings.get(name, "-")) for one in found], 1)
        for name, short in zip(settings, short_names(settings), strict=True)
    ]
    of_tests = [_Column(name, _values(found, name), 3, True) for name in _tests(found) if name not in metrics]
    in_turn = [column for pair in zip_longest(of_settings, of_tests) for column in pair if column is not None]
    return [
        _Column("run", [one.name for one in found], 0),
        _Column("status", [one.status for one in found], 0),
        *(_Column(name, _values(found, name), 2, True) for name in metrics),
        *in_turn[:BEFORE_TIMES],
        _Column("started", [_moment(one.info.started) for one in found], 0),
        _Column("took", [_span(one.seconds) for one in found], 0, True),
        *in_turn[BEFORE_TIMES:],
    ]


def _tests(found: Sequence[RunSummary]) -> list[str]:
    """The metrics of the test that can be the better or the worse; of each class there are too many."""
    names = dict.fromkeys(name for one in found for name in one.metrics if name.startswith("test/"))
    known = {f"test/{name}" for one in found for name in one.info.greater_is_better if "/" not in name}
    return [name for name in names if name in known]


def _values(found: Sequence[RunSummary], name: str) -> list[str]:
    return [screen.show_value(run.metrics.get(name, math.nan)) for run in found]


def _moment(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M")


def _span(seconds: float) -> str:
    """How long something took, in the largest unit that is not less than one."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
