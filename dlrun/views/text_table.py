"""A table as lines of text, without rules between them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

GAP = "  "


def grid(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """The lines of the head, and a line for each row. The columns named in `right` are numbers.

    A column's name that is wider than its cells is broken into several lines.
    """
    widest = [max((len(row[i]) for row in rows), default=0) for i in range(len(columns))]
    heads = [_broken(name, width) for name, width in zip(columns, widest, strict=True)]
    widths = [max(width, *map(len, head)) for width, head in zip(widest, heads, strict=True)]
    high = max(map(len, heads))
    heads = [[""] * (high - len(head)) + head for head in heads]
    aligned = [(name in right, width) for name, width in zip(columns, widths, strict=True)]
    return [_line(line, aligned) for line in zip(*heads, strict=True)], [_line(row, aligned) for row in rows]


def _broken(name: str, width: int) -> list[str]:
    return [name] if len(name) <= width else re.findall(r"[^ /-]+[/-]?", name)


def _line(cells: Sequence[str], aligned: Sequence[tuple[bool, int]]) -> str:
    padded = [
        cell.rjust(wide) if right else cell.ljust(wide) for cell, (right, wide) in zip(cells, aligned, strict=True)
    ]
    return GAP.join(padded).rstrip()
