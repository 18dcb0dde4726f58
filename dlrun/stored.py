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


class StoredArray:
    """An array in a file, row after row, of which some rows are read as a new array: `stored[2:7]`, `stored[numbers]`.

    Rows are read with `pread`, not mapped into memory: mapped pages count as the process's memory, and a file that
    becomes shorter would end the process.
    """

    def __init__(self, file: Path, offset: int, shape: Shape, dtype: np.dtype[Any]):
        """The array whose first number is at byte `offset` of `file`, in C order.

        Raises:
            OSError: the file cannot be opened.
        """
        self.file, self.offset, self.shape, self.dtype = file, offset, shape, dtype
        self.row_bytes = dtype.itemsize * numel(shape[1:])
        self._open = os.open(file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.close = weakref.finalize(self, os.close, self._open)
        self._state = self._now()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The bytes of all rows."""
        return self.row_bytes * len(self)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return numel(self.shape)

    def state(self) -> dict[str, Any]:
        """What is another one once the file has changed: where it is, its size, its times and its number."""
        found = os.fstat(self._open)
        times = [found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        return {"file": str(self.file.resolve()), "size": found.st_size, "times": times, "offset": self.offset}

    def reshaped(self, row: Shape) -> StoredArray:
        """The same numbers with rows of another shape."""
        return StoredArray(self.file, self.offset, (len(self), *row), self.dtype)

    def __getitem__(self, rows: slice | Array) -> Array:
        """Some rows, by a slice without a step or by their numbers (n,), in that order.

        Raises:
            RunError: the file was changed since it was opened, or cannot be read.
        """
        import numpy as np

        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            assert step == 1, "rows are read by a slice without a step"
            runs, count = [(0, start, max(0, stop - start))], max(0, stop - start)
        else:
            count = len(rows)
            runs = _runs(rows)
        found = np.empty((count, *self.shape[1:]), self.dtype)
        if not found.size:
            return found
        self._read(found, runs)
        if self._now() != self._state:
            self._refuse()
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows, in memory."""
        found = self[:]
        return found if dtype is None else found.astype(dtype, copy=False)

    def _read(self, found: Array, runs: list[tuple[int, int, int]]) -> None:
        """Fill an array by runs (place in it, first row, how many)."""
        view, size = memoryview(found.reshape(-1).view("u1").data), self.row_bytes
        try:
            for place, first, count in runs:
                part, at = view[place * size : (place + count) * size], self.offset + first * size
                while got := os.preadv(self._open, [part], at):
                    if got == len(part):
                        break
                    part, at = part[got:], at + got
                else:
                    self._refuse()
        except OSError as error:
            raise RunError(f"{self.file} cannot be read: {error.strerror or error}") from None

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._open)
        return found.st_size, found.st_mtime_ns

    def _refuse(self) -> None:
        raise RunError(f"{self.file} was changed while it was read")


def _runs(rows: Array) -> list[tuple[int, int, int]]:
    """Row numbers as runs of neighbours: the place of each in the list, its first row, and how many there are."""
    import numpy as np

    starts = np.flatnonzero(np.diff(rows, prepend=rows[:1] - 2) != 1)
    lengths = np.diff(starts, append=len(rows))
    return list(zip(starts.tolist(), rows[starts].tolist(), lengths.tolist(), strict=True))
