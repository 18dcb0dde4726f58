"""What a file is that is not UTF-8 text, and the way out."""

from __future__ import annotations

import contextlib
import csv
import re
import shlex
from pathlib import Path

from dlrun.language.suggestions import shorten

_UNKNOWN = re.compile("[\udc80-\udcff]")
"""How Python holds a byte that is not UTF-8."""
AT = ("source", "csv", "path")
KINDS = (
    (b"\xff\xfe\0\0", "UTF-32 text", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32 text", "UTF-32"),
    (b"\xff\xfe", "UTF-16 text", "UTF-16"),
    (b"\xfe\xff", "UTF-16 text", "UTF-16"),
    (b"\x1f\x8b", "a gzip archive", ""),
    (b"BZh", "a bzip2 archive", ""),
    (b"\xfd7zXZ", "an xz archive", ""),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive", ""),
    (b"PK\x03\x04", "a zip archive or a workbook", ""),
    (b"\xd0\xcf\x11\xe0", "a workbook", ""),
    (b"PAR1", "a parquet file", ""),
    (b"ARROW1", "a feather file", ""),
    (b"\x89HDF", "an HDF5 file", ""),
    (b"SQLite format 3", "an SQLite database", ""),
)
"""How files begin: the bytes, what such a file is, and for text the name of its encoding."""


def other_file(file: Path) -> str:
    """What a file is by its first bytes, if they are known; otherwise ''."""
    return next((what for start, what, _ in KINDS if _starts(file, start)), "")


def as_utf8(file: Path, encoding: str) -> str:
    """How to write a text as UTF-8."""
    name, new = shlex.quote(file.name), shlex.quote(f"{file.stem}-utf8{file.suffix}")
    return f"save it as UTF-8: `iconv -f {encoding} -t UTF-8 {name} > {new}`"


def not_utf8(file: Path, delimiter: str) -> tuple[str, tuple[str, ...], str]:
    """The error for a file that is not UTF-8: message, path and hint."""
    for start, what, encoding in KINDS:
        if _starts(file, start):
            way = as_utf8(file, encoding) if encoding else "unpack it, or save the table as csv"
            return f"{file.name} is {what}, not UTF-8 text", AT, way
    line, number, column, cell = _first(file, delimiter)
    raw = cell.encode("utf-8", "surrogateescape")
    place = _UNKNOWN.search(cell)
    byte = ord(place.group()) - 0xDC00 if place else 0
    where = f"the name of column {number}" if line == 1 else f"column '{column}'"
    where = where if number else "the line"
    message = f"{file.name}:{line}: {where} has the byte 0x{byte:02x}, which is not UTF-8"
    text = shorten(raw.decode("cp1252", "replace").strip())
    return message, AT, f"if it is {text}, the file is Windows-1252; {as_utf8(file, 'WINDOWS-1252')}"


def _starts(file: Path, start: bytes) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(start)) == start


def _first(file: Path, delimiter: str) -> tuple[int, int, str, str]:
    """The first cell with a byte that is not UTF-8: its line, its column's number and name, and the cell."""
    names: list[str] = []
    with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        with contextlib.suppress(csv.Error):  # such as a cell without an end
            for cells in reader:
                names = names or cells
                for index, cell in enumerate(cells):
                    if _UNKNOWN.search(cell):
                        return reader.line_num, index + 1, names[index].strip() if index < len(names) else "", cell
    with file.open(encoding="utf-8-sig", errors="surrogateescape") as stream:
        found = ((number, _UNKNOWN.search(text), text) for number, text in enumerate(stream, 1))
        number, place, text = next((number, place, text) for number, place, text in found if place)
    return number, 0, "", text[max(0, place.start() - 10) : place.end() + 10]
