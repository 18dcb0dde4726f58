"""The exceptions that a user sees, and the places that errors point at."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SpecPath = tuple[Any, ...]
"""The steps to a value in a spec: a str is a key, an int an index."""


_PASSWORD = re.compile(r"(://[^/@:\s]*):(?!\d+/)[^\s\"']*@")
_TOKEN = re.compile(r"(https?://)[^/@:\s\"']+@", re.IGNORECASE)
"""A web address with a name alone before the @: services give tokens to be written there."""
_SECRET = re.compile(r"([?&][^=&\s]*(?:password|passwd|pwd|token|secret|api_?key)[^=&\s]*)=[^&\s\"']*", re.IGNORECASE)


def without_password(text: str) -> str:
    """A text that is safe to show: a password in an address becomes `***`."""
    return _SECRET.sub(r"\1=***", _TOKEN.sub(r"\1***@", _PASSWORD.sub(r"\1:***@", text)))


def visible(text: str) -> str:
    """A text for a screen: characters that control it, or that nobody sees, are written as their numbers."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c
        if c in "\n\t" or unicodedata.category(c) not in _UNSEEN
        else c.encode("ascii", "backslashreplace").decode()
        if not c.isascii()
        else f"\\x{ord(c):02x}"
        for c in text
    )


_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def show_path(path: SpecPath) -> str:
    """Write a path as a user would: ``model.layers[0].conv2d``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text


@functools.lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    """The lines of a text: many problems are about lines of the same one."""
    return text.split("\n")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that was read: a file, or one argument of the command line."""

    name: str
    text: str
    numbered: bool = True
    """False for the command line, which has no line numbers."""
    folder: Path = Path()
    """The folder of the file, from the spec's; another one for a file that the spec extends."""

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, or '' past the end."""
        lines = _lines(self.text)
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: source, line and column (both from 1), and the path that leads there."""

    source: Source
    line: int
    column: int
    length: int = 1
    path: SpecPath = ()
    trail: tuple[tuple[str, Place], ...] = ()
    """How this text is used elsewhere: (what happens there, where), innermost first."""

    def via(self, what: str, where: Place) -> Place:
        """The same place, reached through another one."""
        return replace(self, trail=(*self.trail, (what, where)))

    def __str__(self) -> str:
        if not self.source.numbered:
            return self.source.name
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it is, and a way out."""

    message: str
    place: Place | None = None
    hint: str = ""
    notes: tuple[tuple[str, Place], ...] = field(default=())
    """Other places that matter, each with a text that says why."""
    note: str = ""
    """The name of the note that this is, by which a spec silences it; '' for an error."""

    def render(self, width: int | None = None) -> str:
        """The problem as text, with the line it is about, or as much of that as fits in `width` characters."""
        parts = [f"{'note' if self.note else 'error'}: {self.message}"]
        if self.place is not None:
            parts += _frame("-->", self.place, show_path(self.place.path), width)
        for text, place in (*self.notes, *(self.place.trail if self.place else ())):
            parts += _frame(":::", place, text, width)
        if self.hint:
            parts.append(f"   = help: {self.hint}")
        if self.note:
            parts.append(f"   = `allow: [{self.note}]` in the spec silences this note")
        return without_password("\n".join(parts))

    def as_data(self) -> dict[str, Any]:
        """The problem as JSON-ready data."""
        notes = [*self.notes, *(self.place.trail if self.place else ())]
        return {
            "message": without_password(self.message),
            "hint": without_password(self.hint),
            "note": self.note or None,
            **_place_data(self.place),
            "notes": [{"message": text, **_place_data(place)} for text, place in notes],
        }


def _place_data(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"file": None, "line": None, "column": None, "path": None}
    return {
        "file": without_password(place.source.name),
        "line": place.line if place.source.numbered else None,
        "column": place.column,
        "path": show_path(place.path),
    }


MAX_SHOWN_LINE = 160
MAX_SHOWN = 50
"""Problems that are shown: more of them help nobody."""


def _frame(arrow: str, place: Place, label: str, width: int | None) -> list[str]:
    number = str(place.line) if place.source.numbered else "  "
    gap = " " * len(number)
    line = place.source.line(place.line)
    start = place.column - 1
    most = MAX_SHOWN_LINE if width is None else min(MAX_SHOWN_LINE, width - len(f"{number} | …"))
    cut = max(0, start - most // 2) if len(line) > most else 0
    if cut:
        line, start = "…" + line[cut:], start - cut + 1
    if len(line) > most:
        line = line[:most] + "…"
    # The terminal sets the width of a tab, so both lines need the same tabs.
    indent = "".join("\t" if character == "\t" else " " for character in line[:start])
    marks = "^" * max(1, min(place.length, len(line) - start))
    return [
        f"{gap}{arrow} {place}" + (f"  {label}" if label else ""),
        f"{gap} |",
        f"{number} | {line}",
        f"{gap} | {indent}{marks}",
    ]


class DlrunError(Exception):
    """Base of all errors that a user sees as a message, without a traceback."""

    exit_code = 1

    def __str__(self) -> str:
        return visible(super().__str__())


class SpecError(DlrunError):
    """The spec, its data or the command line is wrong; holds every problem that was found."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str):
        found = [Problem(problems)] if isinstance(problems, str) else list(problems)
        self.problems = distinct(found)
        super().__init__()

    def __str__(self) -> str:
        return visible("\n\n".join(self.texts()))

    def texts(self, width: int | None = None) -> list[str]:
        """The first problems as text, of lines of `width` characters, and how many more there are."""
        shown = [problem.render(width) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - len(shown)
        return [*shown, f"and {more:,} more problems"] if more else shown


class RunError(DlrunError):
    """A run failed after it had begun."""


class CompleteError(DlrunError):
    """There is nothing left to train: the run is complete."""


class LocatedError(Exception):
    """Base of internal errors: a caller that knows the place in the spec turns them into a `Problem`."""

    def __init__(self, message: str, hint: str = "", at: SpecPath = ()):
        super().__init__(message)
        self.message, self.hint = message, hint
        self.at = at
        """The path of the wrong value, below the value that the caller works on."""


def distinct(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Without repetition: a mistake in a block is reported once, however often the block is used."""
    seen: dict[tuple[Any, ...], Problem] = {}
    for problem in problems:
        place = problem.place
        key = (problem.message, place and (id(place.source), place.line, place.column))
        seen.setdefault(key, problem)
    return tuple(seen.values())
