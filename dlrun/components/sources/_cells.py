"""Shared by the sources: what a cell is that is not a number, and the way out for each sort."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

MISSING = (
    *("NA", "N/A", "n.a.", "<NA>", "#N/A", "#NA", "nan", "-nan", "NaT", "null", "#NULL!", "nil", "None", "missing"),
    *("?", "-", "--", "---", ".", "\\N", "#VALUE!", "#DIV/0!", "#REF!", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
"""What files write where a value is missing, besides nothing."""

SEPARATORS = {";": '";"', "\t": '"\\t"', "|": '"|"', ",": '","'}
"""What usually separates cells, and how it is written in a spec."""

_DIGITS = r"[+-]?\d{1,3}"
_SORTS = (
    ("boolean", r"(?i:true|false|yes|no|t|f|y|n)", "write 1 and 0 for {values}"),
    ("not finite", r"(?i:[+-]?(inf|infinity))", "a number must be finite: write its value or remove the row"),
    ("thousands", rf"{_DIGITS}(,\d{{3}})+\.\d*|{_DIGITS}(,\d{{3}}){{2,}}", "write {values} without the separators"),
    ("thousands", rf"{_DIGITS}(\.\d{{3}})+,\d*|{_DIGITS}(\.\d{{3}}){{2,}}", "write {values} as plain numbers, 1234.5"),
    ("thousands", rf"{_DIGITS}([ '\u00a0\u2009\u202f]\d{{3}})+([.,]\d*)?", "write {values} without the separators"),
    (
        "decimal comma",
        r"[+-]?\d*,\d+([eE][+-]?\d+)?",
        "write {values} with a decimal point",
    ),
    ("percent", r"[+-]?[\d.,]+\s*%", "write {values} without the percent sign, the same in every row"),
    ("currency", r"[+-]?\s*[$€£¥₹]\s*[\d.,]+|[+-]?[\d.,]+\s*[$€£¥₹]", "write {values} without the currency sign"),
    ("underscores", r"[+-]?\d[\d_]*_[\d_]*(\.\d*)?", "write {values} without underscores"),
    ("hexadecimal", r"[+-]?0[xX][0-9a-fA-F]+", "write {values} as a decimal number"),
    (
        "date",
        r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ ].*)?|\d{1,2}:\d{2}(:\d{2})?.*",
        "{values} is a date or a time: write it as numbers, such as days since the first one",
    ),
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def is_number(text: str) -> bool:
    """Whether a text is a number as every program writes it: no underscores, ASCII digits, finite or too large."""
    return NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str, marks: Collection[str]) -> bool:
    """Whether a cell says that its value is missing."""
    return not text or text.casefold() in {mark.casefold() for mark in marks}


def sort_of(text: str) -> str:
    """What a cell is, in a word."""
    return _sort(text)[0]


def way_out(texts: Collection[str]) -> str:
    """What to do about cells of one sort."""
    first = next(iter(texts))
    return _sort(first)[1].format(values=" and ".join(f"'{text}'" for text in texts))


def _sort(text: str) -> tuple[str, str]:
    text = text.strip()
    if is_missing(text, MISSING):
        return "missing", "fill in the cell or remove the row"
    for sort, pattern, hint in _SORTS:
        if re.fullmatch(pattern, text):
            return sort, hint
    for separator, written in SEPARATORS.items():
        if separator in text and any(is_number(part) for part in text.split(separator)):
            return "several cells", f"if the cells are separated so, write `delimiter: {written}` for the csv"
    if any((character.isdigit() and not character.isascii()) or character in "\u2212\u066b" for character in text):
        return "other digits", "write {values} with the digits 0 to 9, a point and -"
    return "text", "write a column of 0 and 1 for each text, or list the columns of numbers in `features`"


def other_separator(names: list[str], delimiter: str) -> str:
    """How another delimiter is written that the first line looks separated by; '' where none does."""
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
