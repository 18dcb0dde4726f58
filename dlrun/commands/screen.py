"""What a user sees. The only place that prints; results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from dlrun.errors import SpecError

NARROWEST = 60


def console(stderr: bool = False) -> Console:
    """A console on standard output or error, never narrower than a table needs."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    if found.width < NARROWEST or not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=max(found.width, 120), soft_wrap=False)
    return found


def say(text: str = "", stderr: bool = False) -> None:
    """Print lines as they are."""
    print(text, file=sys.stderr if stderr else sys.stdout, flush=True)


def show_json(data: Any) -> None:
    """Print data as JSON."""
    say(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = (), title: str = ""
) -> None:
    """Print a table; the columns named in `right` are numbers. A row of '' alone is a line between sections."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, title_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        if not any(row):
            grid.add_section()
        else:
            grid.add_row(*(Text(cell) for cell in row))
    console().print(grid)


def problems(error: SpecError, as_json: bool = False) -> None:
    """Print everything that is wrong; in colour on a terminal."""
    if as_json:
        show_json({"problems": [problem.as_data() for problem in error.problems]})
        return
    texts = [problem.render() for problem in error.problems]
    if sys.stderr.isatty():
        texts = [_coloured(text) for text in texts]
    say("\n\n".join(texts), stderr=True)
    if len(texts) > 1:
        say(f"\n{len(texts)} problems", stderr=True)


def _coloured(text: str) -> str:
    red, blue, bold, plain = "\033[31m", "\033[34m", "\033[1m", "\033[0m"
    lines = []
    for line in text.split("\n"):
        head, bar, rest = line.partition(" | ")
        if line.startswith("error: "):
            lines.append(f"{red}{bold}error{plain}{bold}: {line[7:]}{plain}")
        elif bar and rest.strip() and not rest.strip("^ \t"):
            lines.append(f"{blue}{head}{bar}{plain}{red}{rest}{plain}")
        elif bar and (not head.strip() or head.strip().isdigit()):
            lines.append(f"{blue}{head}{bar}{plain}{rest}")
        else:
            lines.append(line)
    return "\n".join(lines)
