"""Files of text, line by line: all of them, or the first part where only a look is wanted."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from dlrun.components.sources import SourceError
from dlrun.components.sources._files import TableFile, cannot_be_read
from dlrun.components.sources._streams import UnpackError, unpacked

LONGEST = 1 << 25
"""Characters of a line."""


@dataclass(slots=True)
class Part:
    """The text of a file, or the whole lines of its beginning."""

    text: TextIO
    cut: bool = False
    """Whether there is more."""
    bytes: int = 0
    """How many bytes the beginning has, once unpacked."""
    share: float = 1.0
    """Its share of the file."""


@contextmanager
def open_text(file: TableFile, codec: str, limit: int | None = None) -> Iterator[Part]:
    """The text of a file, or of its first `limit` bytes.

    Raises:
        SourceError: the file cannot be read, now or in the block.
        UnicodeError: it is not text in this encoding.
    """
    try:
        with unpacked(file.path) as stream, io.BufferedReader(stream) as buffered:
            if limit is None:
                yield Part(io.TextIOWrapper(buffered, encoding=codec, newline=""))
                return
            start = buffered.read(limit)
            cut = len(start) == limit
            if cut and start.count(b"\n") < 2:  # a line with many columns, and one more
                start += buffered.readline(LONGEST) + buffered.readline(LONGEST)
            text = codecs.getincrementaldecoder(codec)().decode(start, final=not cut)
            if cut:
                text = text[: text.rfind("\n") + 1] or text
            share = stream.share * len(start) / max(stream.count, 1)
            yield Part(io.StringIO(text, newline=""), cut, len(start), share)
    except UnpackError as error:
        raise SourceError(f"{file.name} {error}", file.at, error.hint) from None
    except OSError as error:
        raise cannot_be_read(file, error) from None


def bounded(file: TableFile, stream: TextIO) -> Iterator[str]:
    """The lines of a file, none of which takes more memory than a line of a table does.

    Raises:
        SourceError: a line is longer.
    """
    count = 0
    while line := stream.readline(LONGEST):
        count += 1
        if len(line) == LONGEST:
            message = f"{file.name}:{count}: a line of more than {LONGEST:,} characters"
            raise SourceError(message, file.at, "end each row with a line break")
        yield line


class Look:
    """How far a look into several files goes, and how many rows they have by what was seen."""

    def __init__(self, limit: int | None):
        """`limit`: the bytes that are looked at; None for all."""
        self.left = limit
        self.rows_a_byte = 0.0

    def reaches(self, file: TableFile) -> bool:
        """Whether a file is looked at; otherwise its rows are estimated."""
        file.rows = max(1, round(self.rows_a_byte * file.size))
        return self.left is None or self.left > 0

    def saw(self, file: TableFile, part: Part, count: int) -> None:
        """Note down how many rows a part of a file has."""
        file.rows = round(count / part.share) if part.cut else count
        if self.left is not None:
            self.left -= part.bytes
            self.rows_a_byte = file.rows / max(file.size, 1)
