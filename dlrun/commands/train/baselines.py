"""The network beside its baselines, as a table and a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlrun.commands import screen

if TYPE_CHECKING:
    from dlrun.runs.baselines import Comparison

NETWORK = "network"


def show_comparison(comparison: Comparison, better: Mapping[str, bool | None]) -> None:
    """Print the figures of the network and of each baseline, the best of each column bold, and the verdict.

    `better` says for each loss and each metric of one value whether more of it is better; None where neither more nor
    less is. Other values are not in the table.
    """
    if not comparison.results:
        return
    done = [result for result in comparison.results if not result.trouble]
    network, figures = comparison.network, [name for name in comparison.network if name in better]
    columns = [[network[figure], *(comparison.value(result, figure) for result in done)] for figure in figures]
    names = [NETWORK, *(result.name for result in done)]
    title = f"{comparison.split}, {comparison.rows:,} row" + ("" if comparison.rows == 1 else "s")
    _show(title, figures, names, columns, better)
    for result in comparison.results:
        own = [f"{name} {screen.show_value(value)}" for name, value in result.metrics.items() if _is_own(name)]
        if told := "; ".join(filter(None, [result.trouble, *own, result.remark])):
            screen.say_folded(f"  {result.name}: {told}", hanging=4)
    if comparison.verdict:
        screen.say_folded(comparison.verdict, hanging=2)


def show_means(comparisons: Sequence[Comparison], better: Mapping[str, bool | None]) -> None:
    """Print the mean over several folds of the figures of the network and of each baseline that every fold has."""
    from statistics import fmean

    done = [{one.name: one for one in fold.results if not one.trouble} for fold in comparisons]
    names = [name for name in done[0] if all(name in fold for fold in done)] if done else []
    if not names:
        return
    figures = [name for name in comparisons[0].network if name in better]
    folds = list(zip(comparisons, done, strict=True))
    columns = []
    for figure in figures:
        own = [fmean(fold.value(known[name], figure) for fold, known in folds) for name in names]
        columns.append([fmean(fold.network[figure] for fold in comparisons), *own])
    _show(f"{comparisons[0].split}, mean of {len(done)} folds", figures, [NETWORK, *names], columns, better)


def _show(
    title: str,
    figures: Sequence[str],
    names: Sequence[str],
    columns: Sequence[list[float]],
    better: Mapping[str, bool | None],
) -> None:
    """Print a row of figures for each name, the best of each column bold; as many figures as fit on the screen."""
    rows = [(name, *map(screen.show_value, values)) for name, *values in zip(names, *columns, strict=True)]
    head = (title, *figures)
    fitting = screen.fitting(head, rows)
    strong = {
        (row, place)
        for place, (figure, values) in enumerate(zip(figures, columns, strict=True), 1)
        for row in _best(values, better[figure])
        if place < fitting
    }
    screen.table(head[:fitting], [row[:fitting] for row in rows], right=figures, strong=strong)
    if left_out := len(head) - fitting:
        screen.say(f"  {left_out} more of each are in baselines.json of the run")


def _is_own(name: str) -> bool:
    """Whether a metric is what a baseline knows of itself, and not measured as the network is."""
    return not name.startswith(("validation/", "test/"))


def _best(values: list[float], rising: bool | None) -> list[int]:
    """The places of the best values; none where nothing is a number, or neither more nor less is better."""
    if rising is None:
        return []
    known = [value for value in values if math.isfinite(value)]
    best = (max if rising else min)(known, default=math.nan)
    return [place for place, value in enumerate(values) if value == best]
