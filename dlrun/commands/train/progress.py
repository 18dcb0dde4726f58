"""The table of epochs that a run shows: about twenty rows however long it trains, with what decides first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlrun.commands import screen

if TYPE_CHECKING:
    from dlrun.plan.objective import Monitor

ROWS = 20
"""About how many rows a training has, unless `--every` says otherwise."""
NARROWEST = 9
"""The least width of a column of numbers, as in 1.234e-05."""
GAP = "  "


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
        """Note an epoch's metrics; whether it is the best so far."""
        value = metrics.get(self.monitor.name, math.nan)
        if not math.isfinite(value) or not self.monitor.is_better(value, self.best):
            return False
        self.best = value
        return True

    def add(self, epoch: int, metrics: dict[str, float], epochs: int) -> list[str]:
        """The lines to print after an epoch."""
        shown = {name: value for name, value in metrics.items() if name != "lr" and not name.startswith("time/")}
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
        cells += [f"{screen.show_value(metrics.get(name, math.nan)):>{self._wide(name)}}" for name in self.columns]
        return [(GAP + GAP.join(cells)).rstrip()]

    def _head(self, names: Sequence[str], epochs: int) -> list[str]:
        """Choose the columns that fit: what decides, the other validation metrics, the training metrics."""
        self.first = max(len("epoch"), len(str(epochs)))

        def rank(name: str) -> tuple[bool, bool, str]:
            return name != self.monitor.name, not name.startswith("validation/"), name.rpartition("/")[0]

        room = self.width - len(GAP) - self.first - 2
        for name in sorted(names, key=rank):
            room -= len(GAP) + self._wide(name)
            if room < 0:
                break
            self.columns.append(name)
        blank = " " * (self.first + 2)
        groups = [name.rpartition("/")[0] for name in self.columns]
        above = [
            f"{group if at == 0 or groups[at - 1] != group else '':>{self._wide(name)}}"
            for at, (name, group) in enumerate(zip(self.columns, groups, strict=True))
        ]
        below = [f"{name.rpartition('/')[2]:>{self._wide(name)}}" for name in self.columns]
        lines = [(GAP + GAP.join([blank, *above])).rstrip()]
        lines.append(GAP + GAP.join([f"{'epoch':>{self.first}}  ", *below]))
        return lines

    def _wide(self, name: str) -> int:
        return max(NARROWEST, *map(len, name.rsplit("/", 1)))
