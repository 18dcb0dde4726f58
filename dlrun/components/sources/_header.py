"""The first line of a table as text: the names of the columns, and errors about it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from dlrun.components.sources import SourceError
from dlrun.components.sources._cells import NUL_HINT, SEPARATORS, is_number
from dlrun.components.sources._encoding import beginning, other_file, with_encoding
from dlrun.components.sources._files import TableFile
from dlrun.language.suggestions import shorten


def numbered(file: TableFile, cells: list[str], names: tuple[str, ...]) -> list[str]:
    """The names of the columns where the first line is a row.

    Raises:
        SourceError: there is no row, or there are more or fewer names than cells.
    """
    if not cells:
        raise SourceError(f"{file.name} has no rows", file.at)
    if names and len(names) != len(cells):
        have = f"{len(cells)} cell{'s' * (len(cells) > 1)} in its first line"
        message = f"{file.name} has {have}, and `names` lists {len(names)}"
        raise SourceError(message, (*file.at[:2], "names"), f"the first line is {shorten(', '.join(cells))}")
    return list(names) or [f"column_{number}" for number in range(1, len(cells) + 1)]


def read_names(file: TableFile, cells: list[str]) -> list[str]:
    """The names of the columns, from the cells of the first line.

    Raises:
        SourceError: the first line does not name each of them, or looks like a row.
    """
    columns = [name.strip() for name in cells]
    if not any(columns):
        hint = "write the names of the columns, separated by the delimiter, in the first line"
        raise SourceError(f"{file.name} has no column names in its first line", file.at, hint)
    if any("\0" in name for name in columns):
        start = beginning(file)
        what = other_file(start) or "UTF-16 text"
        if encoding := _utf16(start):
            raise SourceError(f"{file.name} is {what}, not UTF-8", file.at, with_encoding(file, encoding))
        raise SourceError(f"{file.name}:1: a column's name has a NUL byte", file.at, NUL_HINT)
    if columns[0].startswith("sep="):
        hint = "remove it, and write it in the spec: `csv: {path: …, delimiter: …}`"
        raise SourceError(f"{file.name}:1: the first line only says which delimiter there is", file.at, hint)
    if holds_data(columns):
        message = f"{file.name}:1: the first line looks like a row, {shorten(', '.join(columns))}"
        hint = f"add a first line with the names, or write `{file.at[1]}: {{path: …, header: false}}`"
        raise SourceError(f"{message}, and must name the columns", file.at, hint)
    for number, name in enumerate(columns, 1):
        if not name:
            last = number == len(columns)
            hint = "name it, or remove it from the file if it only counts the rows"
            hint = "remove the delimiter at the end of each line, or name the column" if last else hint
            raise SourceError(f"{file.name}:1: column {number} has no name", file.at, hint)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        message = f"{file.name}:1: two columns are called '{twice[0]}'"
        raise SourceError(message, file.at, "give each column a name of its own")
    return columns


def _utf16(start: bytes) -> str:
    """The form of UTF-16 in which every second byte of ASCII text is NUL, as in a file's first bytes; '' if none."""
    low, high = start[1::2].count(0), start[::2].count(0)
    if max(low, high) <= 0.3 * len(start):
        return ""
    return "utf-16-le" if low > high else "utf-16-be"


def listed(columns: list[str], header: bool) -> str:
    """The first columns, for a hint."""
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return ("columns, from the first line: " if header else "columns: ") + ", ".join(columns[:20]) + more


def delimiter_hint(columns: list[str], delimiter: str) -> str:
    """How to write another delimiter that the first line looks separated by; '' where none does."""
    written = _other_separator(columns, delimiter)
    line = shorten(delimiter.join(columns))
    return f"the first line is {line}: write `csv: {{path: …, delimiter: {written}}}`" if written else ""


def _other_separator(names: list[str], delimiter: str) -> str:
    line = delimiter.join(names)
    counts = {other: line.count(other) for other in SEPARATORS if other != delimiter}
    best = max(counts, key=lambda other: counts[other])
    return SEPARATORS[best] if counts[best] >= max(len(names), 1) else ""


def holds_data(names: list[str]) -> bool:
    """Whether the cells of a first line are values, not names: numbers that do not just count or rise."""
    numbers = [float(name) for name in names if is_number(name)]
    if not numbers or 2 * len(numbers) < len(names):
        return False
    rising = all(one < other for one, other in pairwise(numbers))
    if len(numbers) == len(names):
        counting = numbers == [float(number) for number in range(len(numbers))]
        return not (counting and len(numbers) > 2)
    whole = all(number.is_integer() and number >= 0 for number in numbers)
    falling = all(one > other for one, other in pairwise(numbers))
    return not ((rising and whole) or ((rising or falling) and len(numbers) >= 10))
