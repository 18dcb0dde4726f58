"""Arrays that stay in their files: rows are read when they are asked for, so they need no memory."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.errors import RunError
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


OF_A_CALL = 2048
"""Bytes that are copied from the system's memory in about the time of a call that reads some."""


def stamp(status: os.stat_result) -> str:
    """What is another one once a file has changed: its size, the times of its content and of its entry, its number.

    The second time changes too where a program writes a file and then puts the first one back.
    """
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


class StoredArray:
    """An array in a file, row after row, of which some rows are read as a new array: `stored[2:7]`, `stored[numbers]`.

    Rows are read with `pread`, not mapped into memory: mapped pages count as the process's memory, and a file that
    becomes shorter would end the process.
    """

    def __init__(
        self, file: Path, offset: int, shape: Shape, dtype: np.dtype[Any], columns: tuple[int, ...] | None = None
    ):
        """The array whose first number is at byte `offset` of `file`, in C order.

        Args:
            file: where it is.
            offset: of its first byte.
            shape: as the file has it.
            dtype: as the file has it.
            columns: of an array of two axes those that are taken, by their places; None means all.

        Raises:
            OSError: the file cannot be opened.
        """
        self.file, self.offset, self.dtype = file, offset, dtype
        self.row, self.columns = shape[1:], columns
        self.shape = shape if columns is None else (shape[0], len(columns))
        self.row_bytes = dtype.itemsize * numel(self.row)
        self._open = os.open(file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.close = weakref.finalize(self, os.close, self._open)
        self._unchanged = self._now()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The bytes of all rows."""
        return self.dtype.itemsize * self.size

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return numel(self.shape)

    def state(self) -> dict[str, Any]:
        """What is another one once the file has changed: where the array is, and the file's stamp."""
        return {"file": str(self.file.resolve()), "stamp": stamp(os.fstat(self._open)), "offset": self.offset}

    def reshaped(self, row: Shape) -> StoredArray:
        """The same numbers with rows of another shape."""
        return StoredArray(self.file, self.offset, (len(self), *row), self.dtype)

    def of(self, columns: tuple[int, ...]) -> StoredArray:
        """Some of the columns of an array of two axes, by their places."""
        return StoredArray(self.file, self.offset, (len(self), *self.row), self.dtype, columns)

    def __getitem__(self, rows: slice | Array) -> Array:
        """Some rows, by a slice without a step or by their numbers (n,), in that order.

        Raises:
            RunError: the file was changed since it was opened, or cannot be read.
        """
        import numpy as np

        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            assert step == 1, "rows are read by a slice without a step"
            count = max(0, stop - start)
            starts, size = [self.offset + start * self.row_bytes], count * self.row_bytes
        elif self._are_dense(rows):
            return self[int(rows[0]) : int(rows[-1]) + 1][rows - rows[0]]
        else:
            count, size = len(rows), self.row_bytes
            starts = (self.offset + rows * size).tolist()
        found = np.empty((count, *self.row), self.dtype)
        if found.size:
            self._read(memoryview(found.reshape(-1).view("u1").data), starts, size)
            if self._now() != self._unchanged:
                self._refuse()
        return found if self.columns is None else found[:, self.columns]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows, in memory."""
        found = self[:]
        return found if dtype is None else found.astype(dtype, copy=False)

    def _are_dense(self, rows: Array) -> bool:
        """Whether rows rise, and leave out so few bytes that reading those too is faster than a call for each row."""
        import numpy as np

        if len(rows) < 3 or (rows[-1] - rows[0]) * self.row_bytes > len(rows) * (self.row_bytes + OF_A_CALL):
            return False
        return bool((np.diff(rows) > 0).all())

    def _read(self, view: memoryview, starts: list[int], size: int) -> None:
        """Fill bytes by parts of one size, each from where it begins in the file. The loop is a part of every step."""
        read, file, place = os.preadv, self._open, 0
        try:
            for start in starts:
                end = place + size
                if (got := read(file, [view[place:end]], start)) != size:
                    self._read_rest(view[place:end], start, got)
                place = end
        except OSError as error:
            raise RunError(f"{self.file} cannot be read: {error.strerror or error}") from None

    def _read_rest(self, view: memoryview, start: int, got: int) -> None:
        """Fill what a call has left out: the system reads at most 2 GiB at once."""
        while got < len(view):
            more = os.preadv(self._open, [view[got:]], start + got)
            if not more:
                self._refuse()
            got += more

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._open)
        return found.st_size, found.st_mtime_ns

    def _refuse(self) -> None:
        raise RunError(f"{self.file} was changed while it was read")
