"""The bytes of a file of text, unpacked where its name ends in `.gz` or `.zst`."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

PACKED = {".gz": "gzip", ".zst": "zstd"}
"""The ends of the names of packed files, and what packed them."""
MOST = 1 << 30
"""Bytes that any packed file may become."""
USUAL_RATIO = 8
"""How many times its size a packed table is taken to be before it is read."""
RATIO = 300
"""A file that becomes more bytes than `MOST` may become this many times its size: a table is packed 3 to 30 times."""


class UnpackError(Exception):
    """A packed file is damaged, cut, or becomes too much."""

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


def is_packed(file: Path) -> bool:
    """Whether a file is unpacked while it is read."""
    return file.suffix.lower() in PACKED


def unpacked_size(file: Path, size: int) -> int:
    """About how many bytes come out of a file of `size` bytes."""
    return size * USUAL_RATIO if is_packed(file) else size


class Unpacked(io.RawIOBase):
    """The bytes of a file as they are before packing; never all of them in memory."""

    def __init__(self, stream: BinaryIO, file: Path):
        self._file = stream
        self._size = file.stat().st_size
        self._packed = PACKED.get(file.suffix.lower(), "")
        self._stream: Any = stream
        self.count = 0
        """How many bytes were given."""
        if self._packed == "gzip":
            self._stream = gzip.GzipFile(fileobj=stream)
        elif self._packed:
            import pyarrow as pa

            self._stream = pa.CompressedInputStream(pa.PythonFile(stream), self._packed)

    @property
    def share(self) -> float:
        """The share of the file that was read."""
        return self._file.tell() / max(self._size, 1)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._stream.read(len(buffer))
        except (EOFError, zlib.error, OSError, ValueError) as error:
            if not self._packed:
                raise
            cut = isinstance(error, EOFError) or "runcated" in str(error)
            why = "it ends too early" if cut else f"it is damaged, or not packed by {self._packed}"
            raise UnpackError(f"cannot be unpacked: {why}", "copy the file again, or unpack it to see") from None
        self.count += len(found)
        if self._packed and self.count > max(MOST, RATIO * self._size):
            times = self.count // max(self._size, 1)
            message = f"becomes more than {times} times its size when it is unpacked"
            raise UnpackError(message, "if it is what you expect, unpack it yourself and read the file that comes out")
        buffer[: len(found)] = found
        return len(found)


@contextmanager
def unpacked(file: Path) -> Iterator[Unpacked]:
    """Open a file.

    Raises:
        UnpackError: it cannot be unpacked, now or in the block.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        yield Unpacked(stream, file)
