"""The table of epochs that a run shows: about twenty rows however long it trains, with what decides first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.commands import screen

if TYPE_CHECKING:
    from dlrun.plan.monitor import Monitor

ROWS = 20
"""About how many rows a training has, unless `--every` says otherwise."""
NARROWEST = 9
"""The least width of a column of numbers, as in 1.234e-05."""
GAP = "  "
SHOWN = ("train/", "validation/")
"""The metrics that have columns: the times and the numbers that schedules change have none."""


class EpochTable:
    """Chooses the epochs that are shown, and writes them as aligned lines.

    A row stands for `every` epochs: it is their best one if that is the best so far, and else their last one.
    """

    def __init__(self, monitor: Monitor, width: int, every: int | None):
        """
        Args:
            monitor: the metric that decides which epoch is best; it has the first column.
            width: how many characters a line may have.
            every: how many epochs a row stands for; None: a twentieth of the training.
        """
        self.monitor = monitor
        self.width, self.every = width, every
        self.best = math.nan
        self.columns: list[str] = []
        self.first = 0
        """The width of the first column."""
        self.waiting: tuple[int, dict[str, float], bool] | None = None
        """The epoch to be shown next, its metrics, and whether it is the best so far."""

    def seen(self, metrics: dict[str, float]) -> bool:
        """Note an epoch's metrics; whether it is marked as the best so far."""
        if self.monitor.newest:
            return False
        value = metrics.get(self.monitor.name, math.nan)
        if not math.isfinite(value) or not self.monitor.is_better(value, self.best):
            return False
        self.best = value
        return True

    def add(self, epoch: int, metrics: dict[str, float], epochs: int) -> list[str]:
        """The lines to print after an epoch."""
        shown = {name: value for name, value in metrics.items() if name.startswith(SHOWN)}
        lines = [] if self.columns else self._head(list(shown), epochs)
        best = self.seen(metrics)
        if best or self.waiting is None or not self.waiting[2]:
            self.waiting = epoch, shown, best
        every = self.every or max(1, math.ceil(epochs / ROWS))
        if lines or epoch % every == 0 or epoch == epochs:  # the first epoch too: it shows that training works
            lines += self.rest()
        return lines

    def rest(self) -> list[str]:
        """The line that is still to be printed when training ends."""
        if self.waiting is None:
            return []
        epoch, metrics, best = self.waiting
        self.waiting = None
        cells = [f"{epoch:>{self.first}}{' *' if best else '  '}"]
        widths = self._widths(self.columns)
        cells += [
            f"{screen.show_value(metrics.get(name, math.nan)):>{wide}}"
            for name, wide in zip(self.columns, widths, strict=True)
        ]
        return [(GAP + GAP.join(cells)).rstrip()]

    def _head(self, names: Sequence[str], epochs: int) -> list[str]:
        """Choose the columns that fit: what decides, the other validation metrics, the training metrics."""
        self.first = max(len("epoch"), len(str(epochs)))

        def rank(name: str) -> tuple[bool, bool, str]:
            return name != self.monitor.name, not name.startswith("validation/"), _group(name)

        blank = " " * (self.first + 2)
        for name in sorted(names, key=rank):
            widths = self._widths([*self.columns, name])
            if len(GAP + blank) + sum(len(GAP) + wide for wide in widths) <= self.width:
                self.columns.append(name)
        widths = self._widths(self.columns)
        above, at = GAP + blank, len(GAP + blank)
        for group, members in itertools.groupby(zip(self.columns, widths, strict=True), lambda one: _group(one[0])):
            wides = [wide for _, wide in members]
            # Above the first column of the group, and on over the others where that is too narrow.
            above = f"{above:<{at}}{GAP}{group:>{wides[0]}}"
            at += sum(len(GAP) + wide for wide in wides)
        titles = [f"{_title(name):>{wide}}" for name, wide in zip(self.columns, widths, strict=True)]
        return [above.rstrip(), GAP + GAP.join([f"{'epoch':>{self.first}}  ", *titles])]

    def _widths(self, names: Sequence[str]) -> list[int]:
        """The widths of columns: of their titles, and together at least that of their group's name."""
        widths: list[int] = []
        for group, members in itertools.groupby(names, _group):
            wides = [max(NARROWEST, len(_title(name))) for name in members]
            wides[-1] += max(0, len(group) - len(GAP.join(" " * wide for wide in wides)))
            widths += wides
        return widths


def _group(name: str) -> str:
    return name.rpartition("/")[0]


def _title(name: str) -> str:
    return name.rpartition("/")[2]
