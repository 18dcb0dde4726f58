"""A table with a title: for the screen and for a page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.errors import visible

AROUND, BETWEEN = 2, 3
"""Characters at both ends of a table's line on the screen together, and between two of its columns."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[str, ...] = ()
    """The columns that are numbers."""
    below: str = ""
    """A line under it."""


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names for the columns of a grid, which finds them by name."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)


def fitting(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> int:
    """How many columns of a table fit in a line of the screen, from the first one on."""
    from rich.cells import cell_len

    room = width - AROUND + BETWEEN
    for count, cells in enumerate(zip(columns, *rows, strict=True)):
        room -= BETWEEN + max(cell_len(visible(cell)) for cell in cells)
        if room < 0:
            return count
    return len(columns)


def and_more(count: int, what: str, plural: str = "") -> str:
    """What follows the first of many: `and 3 more columns`."""
    return f"and {count:,} more {what if count == 1 else plural or what + 's'}"


def show_value(value: float) -> str:
    """A metric's value for a table; a dash where it is not defined."""
    return "-" if value != value else f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.4g}"
