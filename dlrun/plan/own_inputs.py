"""Columns of indices and the inputs that they need: an embedding takes indices alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlrun.language.fields import LONGEST

MOST = 20
"""How many columns are listed."""


def own_inputs(apart: Sequence[str], rest: Sequence[str]) -> str:
    """The line to write so that each of some columns is an input of its own, and the others are one together."""
    entries = [f"{_input_name(column)}: {_quoted(column)}" for column in apart[:MOST]]
    if rest:
        entries.append(f"rest: [{', '.join(map(_quoted, rest[:MOST]))}{', …' if len(rest) > MOST else ''}]")
    return f"`features: {{{', '.join(entries)}}}`"


def _input_name(column: str) -> str:
    """A column's name as an input may be called."""
    return re.sub(r"\W|^(?=\d)", "_", column, flags=re.ASCII)[:LONGEST]


def _quoted(column: str) -> str:
    return column if re.fullmatch(r"[A-Za-z][\w.-]*", column) else f'"{column}"'
