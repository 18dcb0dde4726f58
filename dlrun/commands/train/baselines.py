"""The network beside its baselines, as a table and a sentence."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

from dlrun.commands import screen

if TYPE_CHECKING:
    from dlrun.runs.baselines import Comparison

NETWORK = "network"


def show_comparison(comparison: Comparison, rising: Collection[str]) -> None:
    """Print the figures of the network and of each baseline, the best of each column bold, and the verdict.

    `rising` are the metrics of which a larger value is better.
    """
    if not comparison.results:
        return
    done = [result for result in comparison.results if not result.trouble]
    network, figures = comparison.network, list(comparison.network)
    columns = [[network[figure], *(comparison.value(result, figure) for result in done)] for figure in figures]
    strong = {
        (row, place)
        for place, (figure, values) in enumerate(zip(figures, columns, strict=True), 1)
        for row in _best(values, figure in rising)
    }
    names = [NETWORK, *(result.name for result in done)]
    rows = [(name, *map(screen.show_value, values)) for name, *values in zip(names, *columns, strict=True)]
    title = f"{comparison.split}, {comparison.rows:,} row" + ("" if comparison.rows == 1 else "s")
    screen.table((title, *figures), rows, right=figures, strong=strong)
    for result in comparison.results:
        own = [f"{name} {screen.show_value(value)}" for name, value in result.metrics.items() if _is_own(name)]
        if told := "; ".join(filter(None, [result.trouble, *own, result.remark])):
            screen.say_folded(f"  {result.name}: {told}", hanging=4)
    if comparison.verdict:
        screen.say_folded(comparison.verdict, hanging=2)


def _is_own(name: str) -> bool:
    """Whether a metric is what a baseline knows of itself, and not measured as the network is."""
    return not name.startswith(("validation/", "test/"))


def _best(values: list[float], rising: bool) -> list[int]:
    """The places of the best values; none where nothing is a number."""
    known = [value for value in values if math.isfinite(value)]
    best = (max if rising else min)(known, default=math.nan)
    return [place for place, value in enumerate(values) if value == best]
