"""How a table is written as text: the delimiter, the first line, the form of numbers and the encoding."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from dlrun.components.sources._cells import is_number

Encoding = Literal[
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "iso-8859-2",
    "iso-8859-15",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp437",
    "cp850",
    "mac-roman",
    "koi8-r",
    "shift-jis",
    "euc-jp",
    "euc-kr",
    "gb18030",
    "big5",
]
"""The encodings that a spec may name, by Python's names."""
Decimal = Literal[".", ","]
Thousands = Literal[".", ",", " ", "'", "_"]
SPACES = " \u00a0\u2009\u202f"
"""What stands between thousands where a space does."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The settings of a table as text."""

    delimiter: str = ","
    header: bool = True
    """Whether the first line names the columns."""
    names: tuple[str, ...] = ()
    """Their names where it does not."""
    decimal: Decimal = "."
    thousands: Thousands | None = None
    encoding: Encoding = "utf-8"
    _number: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole = r"\d+"
        if self.thousands:
            whole = rf"(?:\d{{1,3}}(?:[{SPACES if self.thousands == ' ' else self.thousands}]\d{{3}})+|\d+)"
        point = re.escape(self.decimal)
        pattern = rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        object.__setattr__(self, "_number", re.compile(pattern, re.ASCII))

    @property
    def codec(self) -> str:
        """Python's name of the encoding; a mark of UTF-8 at the beginning is no part of the text."""
        return "utf-8-sig" if self.encoding == "utf-8" else self.encoding

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as every program reads them."""
        return self.decimal == "." and self.thousands is None

    def plain(self, cell: str) -> str:
        """A number as every program reads it; '' for a cell that is none as this table writes numbers."""
        if self.is_plain:
            return cell if is_number(cell) else ""
        text = cell.strip()
        if not self._number.fullmatch(text):
            return ""
        if self.thousands:
            text = re.sub(rf"[{SPACES if self.thousands == ' ' else self.thousands}]", "", text)
        return text.replace(self.decimal, ".")

    def number_form(self) -> str:
        """How its numbers are written, for a hint: `1.234,5`."""
        return f"1{self.thousands or ''}234{self.decimal}5"
