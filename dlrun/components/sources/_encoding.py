"""What a file is that is not text in its encoding, and the way out."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re

from dlrun.components.sources import SourceError
from dlrun.components.sources._files import TableFile
from dlrun.components.sources._layout import Layout
from dlrun.components.sources._streams import unpacked
from dlrun.language.suggestions import shorten

_UNKNOWN = re.compile("[\udc00-\udcff]")
"""How Python holds a byte that the encoding does not have."""
KINDS = (
    (b"\xff\xfe\0\0", "UTF-32 text", "utf-32"),
    (b"\0\0\xfe\xff", "UTF-32 text", "utf-32"),
    (b"\xff\xfe", "UTF-16 text", "utf-16"),
    (b"\xfe\xff", "UTF-16 text", "utf-16"),
    (b"\x1f\x8b", "a gzip archive", ".gz"),
    (b"BZh", "a bzip2 archive", ""),
    (b"\xfd7zXZ", "an xz archive", ""),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive", ".zst"),
    (b"PK\x03\x04", "a zip archive or a workbook", ""),
    (b"\xd0\xcf\x11\xe0", "a workbook", ""),
    (b"PAR1", "a parquet file", "parquet"),
    (b"ARROW1", "a feather file", ""),
    (b"\x89HDF", "an HDF5 file", ""),
    (b"SQLite format 3", "an SQLite database", ""),
)
"""How files begin: the bytes, what such a file is, and the encoding, the end of a name or the source that reads it."""


def other_file(start: bytes) -> str:
    """What a file is by its first bytes, if they are known; otherwise ''."""
    return next((what for first, what, _ in KINDS if start.startswith(first)), "")


def beginning(file: TableFile) -> bytes:
    """The first bytes of a file of text, unpacked."""
    with unpacked(file.path) as stream:
        return stream.read(64) or b""


def with_encoding(file: TableFile, encoding: str) -> str:
    """How a spec says in which encoding a file is."""
    return f"write `{file.at[1]}: {{path: …, encoding: {encoding}}}`"


def wrong_bytes(file: TableFile, layout: Layout) -> SourceError:
    """The error for a file that is not text in its encoding."""
    name = layout.encoding.upper() if layout.encoding.startswith("utf") else layout.encoding
    found = beginning(file)
    for start, what, reader in KINDS:
        if found.startswith(start) and reader != layout.encoding:
            way = "unpack it, or save the table as csv"
            if reader.startswith("utf"):
                way = with_encoding(file, reader)
            elif reader:
                way = "`parquet` reads it" if reader == "parquet" else f"name it {file.name}{reader}, or unpack it"
            return SourceError(f"{file.name} is {what}, not {name} text", file.at, way)
    line, number, column, cell = _first(file, layout)
    place = _UNKNOWN.search(cell)
    byte = ord(place.group()) - 0xDC00 if place else 0
    where = f"the name of column {number}" if line == 1 and layout.header else f"column '{column}'"
    where = where if number else "the line"
    message = f"{file.name}:{line}: {where} has the byte 0x{byte:02x}, which is not {name}"
    if layout.encoding != "utf-8":
        return SourceError(message, file.at, "the file is in another encoding, or is damaged")
    raw = cell.encode("utf-8", "surrogateescape")
    text = shorten(raw.decode("cp1252", "replace").strip())
    hint = f"if it is {text}, the file is Windows-1252: {with_encoding(file, 'cp1252')}"
    return SourceError(message, file.at, hint)


def _keep(error: UnicodeError) -> tuple[str, int]:
    """Put a mark that no text has in the place of bytes that cannot be decoded."""
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("dlrun.mark", _keep)


def _first(file: TableFile, layout: Layout) -> tuple[int, int, str, str]:
    """The first cell with a byte that its encoding lacks: its line, its column's number and name, and the cell."""
    names: list[str] = []
    with unpacked(file.path) as stream, io.BufferedReader(stream) as part:
        text = io.TextIOWrapper(part, newline="", encoding=layout.codec, errors="dlrun.mark")
        reader = csv.reader(text, delimiter=layout.delimiter)
        with contextlib.suppress(csv.Error):  # such as a cell without an end
            for cells in reader:
                names = names or (cells if layout.header else [f"column_{n}" for n in range(1, len(cells) + 1)])
                for index, cell in enumerate(cells):
                    if _UNKNOWN.search(cell):
                        return reader.line_num, index + 1, names[index].strip() if index < len(names) else "", cell
    number, text, start, end = first_wrong_line(file, layout.codec)
    return number, 0, "", text[max(0, start - 10) : end + 10]


def first_wrong_line(file: TableFile, codec: str) -> tuple[int, str, int, int]:
    """The first line with bytes that an encoding lacks: its number, its text with marks, and where these are."""
    with unpacked(file.path) as stream, io.BufferedReader(stream) as part:
        for number, line in enumerate(io.TextIOWrapper(part, encoding=codec, errors="dlrun.mark"), 1):
            if place := _UNKNOWN.search(line):
                return number, line, *place.span()
    return 1, "", 0, 0
