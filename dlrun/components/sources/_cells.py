"""Shared by the sources: what a cell is that is not a number, and the way out for each sort."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

MISSING = (
    *("NA", "N/A", "n.a.", "N\\A", "<NA>", "#N/A", "#NA", "#N/A N/A", "nan", "-nan", "NaT", "null", "#NULL!", "#NULL"),
    *("nil", "None", "missing", "not available", "undefined", "\\N", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!", "#NAME?"),
    *("?", "??", "-", "--", "---", "–", "—", ".", "..", "...", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
"""What files write where a value is missing, besides nothing; also in brackets or `$`, such as `(null)`."""
EXACT = 2.0**53
"""Whole numbers up to it are exact as float64."""
NUL_HINT = "remove the NUL bytes, or save the file as UTF-8 text again"

SEPARATORS = {";": '";"', "\t": '"\\t"', "|": '"|"', ",": '","'}
"""What usually separates cells, and how it is written in a spec."""

_DIGITS = r"[+-]?\d{1,3}"
_SORTS = (
    ("boolean", r"(?i:true|false|yes|no|t|f|y|n)", "write 1 and 0 for {values}"),
    ("not finite", r"(?i:[+-]?(inf|infinity))", "a number must be finite: write its value or remove the row"),
    ("thousands", rf"{_DIGITS}(,\d{{3}})+\.\d*|{_DIGITS}(,\d{{3}}){{2,}}", "write {values} without the separators"),
    ("thousands", rf"{_DIGITS}(\.\d{{3}})+,\d*|{_DIGITS}(\.\d{{3}}){{2,}}", "write {values} as plain numbers, 1234.5"),
    ("thousands", rf"{_DIGITS}([ '\u00a0\u2009\u202f]\d{{3}})+([.,]\d*)?", "write {values} without the separators"),
    ("thousands", r"[+-]?[1-9]\d{0,2},\d{3}", "write {values} without the separator, or with a decimal point"),
    ("negative", r"\([\d.,]+\)", "write {values} with a minus sign"),
    ("exponent", r"[+-]?(\d+\.?\d*|\.\d+)[dD][+-]?\d+", "write {values} with an e before the exponent"),
    ("limit", r"[<>≤≥~≈]=?\s*[+-]?[\d.,]+", "{values} is a limit and no number: write a number, or remove the row"),
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
    ("unit", r"[+-]?(\d+\.?\d*|\.\d+)\s?[A-Za-zµ°Ω²³]{1,5}", "write {values} without the unit, the same in every row"),
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def is_number(text: str) -> bool:
    """Whether a text is a number as every program writes it: no underscores, ASCII digits, finite or too large."""
    return NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str, marks: Collection[str]) -> bool:
    """Whether a cell says that its value is missing."""
    folded = _folded(tuple(marks))
    return not text or text.casefold() in folded or text.strip("()[]<>{}$").casefold() in folded


@cache
def _folded(marks: tuple[str, ...]) -> frozenset[str]:
    return frozenset(mark.casefold() for mark in marks)


def is_padded(text: str) -> bool:
    """Whether a number has zeros in front, as ids and codes have."""
    return re.match(r"\s*[+-]?0\d", text) is not None


def is_rounded(text: str, value: float) -> bool:
    """Whether a whole number is too large for float64 to keep."""
    return re.fullmatch(r"[+-]?\d+", text.strip()) is not None and int(text) != int(value)


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
    if "\0" in text:
        return "NUL", NUL_HINT
    if is_number(text):
        return "too large", "the largest number is 1.8e308: write {values} in a larger unit"
    for sort, pattern, hint in _SORTS:
        if re.fullmatch(pattern, text):
            return sort, hint
    for separator, written in SEPARATORS.items():
        if separator in text and any(is_number(part) for part in text.split(separator)):
            return "several cells", f"if the cells are separated so, write `delimiter: {written}` for the csv"
    if any((character.isdigit() and not character.isascii()) or character in "\u2212\u066b" for character in text):
        return "other digits", "write {values} with the digits 0 to 9, a point and -"
    return "text", "write a column of 0 and 1 for each text, or list the columns of numbers in `features`"
