"""Output to the user; only this module prints. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from dlrun.errors import visible, without_password
from dlrun.views.grid import fitting as grid_fitting
from dlrun.views.grid import show_value as show_value

if TYPE_CHECKING:
    from rich.console import Console

    from dlrun.errors import Problem, SpecError
    from dlrun.views.grid import Grid

NARROWEST, WIDE = 60, 120
BAR_WITH_VALUE = 90


def console(stderr: bool = False) -> Console:
    """A console on standard output or error, wide enough for a table."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    if found.width < NARROWEST or not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=max(found.width, WIDE), soft_wrap=False)
    return found


_optional = False


def make_optional() -> None:
    """From now on what is printed may be lost: a run goes on without a screen, be it a full disk or a closed pipe."""
    global _optional
    _optional = True


@contextlib.contextmanager
def _losing(stream: TextIO) -> Iterator[None]:
    """Let what follows print; where that fails and output is optional, everything to that stream is dropped."""
    try:
        yield
    except OSError:
        if not _optional:
            raise
        # What is still in the buffer goes there too, so that the end of the process is no error either.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def say(text: str = "", stderr: bool = False) -> None:
    """Print lines; what would control the terminal is shown instead."""
    _print(visible(text), stderr)


def say_folded(text: str, hanging: int = 10, stderr: bool = False) -> None:
    """Print a line; on a terminal it is broken between words, and its other lines begin `hanging` characters in."""
    say(_folded(text, width(), hanging) if sys.stdout.isatty() else text, stderr)


def _folded(line: str, room: int, hanging: int) -> str:
    return textwrap.fill(
        line,
        room,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )


def write_what_fits() -> None:
    """Let a terminal that lacks a character show its number, in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _print(text: str, stderr: bool = False) -> None:
    stream = sys.stderr if stderr else sys.stdout
    with _losing(stream):
        print(text, file=stream, flush=True)


def show_json(data: Any) -> None:
    """Print data as JSON."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
        safe = visible(text) == text
    except UnicodeEncodeError:
        safe = False
    say(text if safe else json.dumps(data, indent=2, allow_nan=False))


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str] = (),
    title: str = "",
    strong: Collection[tuple[int, int]] = (),
) -> None:
    """Print a table; the columns named in `right` are numbers. A row of '' alone is a line between sections.

    On a terminal the cells in `strong`, by row and column, are bold.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=box.SIMPLE_HEAD,
        title=Text(visible(title)) if title else None,
        title_justify="left",
        pad_edge=False,
        title_style="bold",
    )
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for number, row in enumerate(rows):
        if not any(row):
            grid.add_section()
        else:
            styles = ["bold" if (number, place) in strong else "" for place in range(len(row))]
            grid.add_row(*(Text(visible(cell), style=style) for cell, style in zip(row, styles, strict=True)))
    with _losing(sys.stdout):
        console().print(grid)
        sys.stdout.flush()


def grids(found: Iterable[Grid]) -> None:
    """Print tables, each with its title above it and its line below it."""
    for one in found:
        say()
        heading(one.title)
        if one.columns:
            table(one.columns, one.rows, one.right)
        if one.below:
            say_folded(one.below, hanging=2)


def fitting(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How many columns of a table fit in a line, from the first one on."""
    return grid_fitting(columns, rows, width())


def width(stderr: bool = False) -> int:
    """How many characters fit in a line; at least 120 where the output is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    columns = shutil.get_terminal_size((WIDE, 24)).columns
    if not stream.isatty():
        return max(columns, WIDE)
    if "COLUMNS" not in os.environ:
        with contextlib.suppress(OSError):  # the size of this stream's terminal, where the other one has none
            columns = os.get_terminal_size(stream.fileno()).columns or columns
    return max(columns, NARROWEST)


def grid(head: Sequence[str], rows: Sequence[str], strong: Collection[int] = ()) -> None:
    """Print the lines of a table; on a terminal its head is bold, and so are the rows numbered in `strong`."""
    bold, plain = ("\033[1m", "\033[0m") if _has_colours(sys.stdout) else ("", "")
    head, rows = [visible(line) for line in head], [visible(line) for line in rows]
    rule = _line() * max(map(len, [*head, *rows]))
    lines = [f"{bold}{line}{plain}" for line in head] + [rule]
    lines += [f"{bold}{line}{plain}" if number in strong else line for number, line in enumerate(rows)]
    _print("\n".join(lines))


def has_live_line() -> bool:
    """Whether the output is a terminal on which a line can change."""
    return sys.stdout.isatty() and _takes_codes()


def _has_colours(stream: TextIO) -> bool:
    return stream.isatty() and _takes_codes() and not os.environ.get("NO_COLOR")


def _takes_codes() -> bool:
    """Whether the terminal takes more than text."""
    return os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _line() -> str:
    try:
        "─".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return "-"
    return "─"


def heading(text: str, beside: str = "") -> None:
    """Print a title, bold, with a few words beside it."""
    from rich.text import Text

    parts = [(visible(text), "bold"), f"  {visible(beside)}" if beside else ""]
    console().print(Text.assemble(*parts))


def paragraph(text: str) -> None:
    """Print text, broken into lines that fit."""
    from rich.text import Text

    console().print(Text(visible(text)))


def listing(rows: Sequence[tuple[str, ...]]) -> None:
    """Print (name, text) pairs, the texts broken to fit; a third text comes below the second, dim."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text, *more in rows:
        lines = [Text(visible(text)), *(Text(visible(line), style="dim") for line in more)]
        grid.add_row(Text(f"  {visible(name)}", style="cyan"), Text("\n").join(line for line in lines if line.plain))
    console().print(grid)


def problems(error: SpecError) -> None:
    """Print everything that is wrong; in colour on a terminal."""
    _print_problems(error.texts(_room()))
    if len(error.problems) > 1:
        noted = sum(bool(problem.note) for problem in error.problems)
        said = [_counted(len(error.problems) - noted, "problem")] + ([_counted(noted, "note")] if noted else [])
        say("\n" + ", ".join(said), stderr=True)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def notes(found: Sequence[Problem]) -> None:
    """Print what can be meant but rarely is."""
    if found:
        _print_problems([problem.render(_room()) for problem in found])


def _room() -> int | None:
    """How many characters a line of a problem may have; None where the output is not a terminal."""
    return width(stderr=True) if sys.stderr.isatty() else None


def _print_problems(texts: list[str]) -> None:
    texts = list(map(visible, texts))
    if (room := _room()) is not None:
        texts = ["\n".join(_folded_line(line, room) for line in text.split("\n")) for text in texts]
    if _has_colours(sys.stderr):
        texts = [_coloured(text) for text in texts]
    _print("\n\n".join(texts), stderr=True)


def _folded_line(line: str, room: int) -> str:
    """A line of a problem, broken between words; an excerpt of a file stays a line."""
    for beginning in ("error: ", "note: ", "   = help: ", "   = "):
        if line.startswith(beginning):
            return _folded(line, room, len(beginning))
    return line


def _coloured(text: str) -> str:
    red, yellow, blue, bold, plain = "\033[31m", "\033[33m", "\033[34m", "\033[1m", "\033[0m"
    lines = []
    for line in text.split("\n"):
        head, bar, rest = line.partition(" | ")
        if line.startswith("error: "):
            lines.append(f"{red}{bold}error{plain}{bold}: {line[7:]}{plain}")
        elif line.startswith("note: "):
            lines.append(f"{yellow}{bold}note{plain}{bold}: {line[6:]}{plain}")
        elif bar and rest.strip() and not rest.strip("^ \t"):
            lines.append(f"{blue}{head}{bar}{plain}{red}{rest}{plain}")
        elif bar and (not head.strip() or head.strip().isdigit()):
            lines.append(f"{blue}{head}{bar}{plain}{rest}")
        else:
            lines.append(line)
    return "\n".join(lines)


def failure(text: str, word: str = "error") -> None:
    """Print an error, a warning or a note on standard error."""
    text = f"{word}: {visible(without_password(text))}"
    if (room := _room()) is not None:
        text = "\n".join(_folded(line, room, len(word) + 2) for line in text.split("\n"))
    if _has_colours(sys.stderr):
        colour = "\033[31m" if word == "error" else "\033[33m"
        text = f"{colour}\033[1m{word}\033[0m{text.removeprefix(word)}"
    _print(text, stderr=True)


class Bar:
    """One live line: the progress, the two times, and a value where there is room."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.table import Column

        def whole() -> Column:
            return Column(no_wrap=True)

        self.wide = width() >= BAR_WITH_VALUE
        self.progress = Progress(
            TextColumn("  {task.description}", markup=False, table_column=whole()),
            BarColumn(bar_width=16 if self.wide else 6),
            TimeElapsedColumn(table_column=whole()),
            TextColumn("elapsed", table_column=whole()),
            TimeRemainingColumn(table_column=whole()),
            TextColumn("left", table_column=whole()),
            TextColumn("{task.fields[value]}", markup=False, table_column=whole()),
            refresh_per_second=8,
            transient=True,
        )
        self.task = self.progress.add_task("starting", total=1.0, value="")
        self.progress.start()

    def show(self, done: float, title: str, value: str) -> None:
        """Update the line; `done` is the share that is done, up to 1."""
        value = visible(value) if self.wide else ""
        self.progress.update(self.task, completed=done, description=visible(title), value=value)

    def stop(self) -> None:
        """Remove the line."""
        self.progress.stop()
