from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Source, SourceError, Table, resolve
from dlrun.components.sources._arrays import Arrays, Unread, can_stay, reading
from dlrun.components.sources._cells import MISSING
from dlrun.components.sources._npy_header import Header, read_header
from dlrun.components.sources._split_arrays import joined
from dlrun.errors import SpecPath
from dlrun.language.paths import FilePaths
from dlrun.shapes import numel
from dlrun.stored import StoredArray

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILES = ("source", "npy", "path")


class Npy(Source):
    """Arrays that numpy saved, each in a file of its own: `features` and `target` name some of them.

    An array has the name of its file: `x` for `x.npy`. The first axis is the rows. Large arrays stay on the
    disk, and batches are read from there, so they may be larger than the memory; those in Fortran's order, in another
    machine's order of bytes, of booleans, and several side by side as features are read into the memory. Otherwise
    npy is like npz: `x_train.npy` and `x_test.npy` make an array `x`, no code is run, and the target depends on the
    loss.

    Shape: the axes of the features after the first; an array with one axis has one number in each row, (1,)
    Reference: Kern, A simple file format for NumPy arrays, NumPy Enhancement Proposal 1, 2007.
    Example: npy: [x.npy, y.npy]
    """

    synonyms = ("memmap",)

    path: FilePaths
    """One file or several, each written by `numpy.save`; a relative path starts from the folder of the file that has
    it."""
    missing: tuple[str, ...] = MISSING
    """Texts that say that a value is missing, in any case; they cannot be classes. An empty text says it always."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        unread: dict[str, Unread | SourceError] = {}
        for index, path in enumerate(self.path):
            at = FILES if len(self.path) == 1 else (*FILES, index)
            file = resolve(path, folder, at)
            if file.stem in unread:
                hint = "an array has the name of its file: rename one"
                raise SourceError(f"two of the files are called {file.stem}", at, hint)
            unread[file.stem] = _File(file, at)
        unread, features, target = joined(unread, FILES)
        no_missing = f"npy: {{path: {_listed(self.path)}, missing: []}}"
        return Arrays(self.origin()[0], FILES, unread, target, features, self.missing, no_missing)

    def origin(self) -> tuple[str, str]:
        names = [Path(path).name for path in self.path]
        name = " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more files"
        return name, ", ".join(self.path)


class _File(Unread):
    """An array in a file of its own."""

    def __init__(self, file: Path, at: SpecPath):
        self.file, self.at = file, at
        header = self._header()
        self.shape, self.dtype = header.shape, header.dtype
        self.is_in_file = not header.fortran and can_stay(self.shape, self.dtype)

    def read(self) -> Array:
        import numpy as np

        header = self._header()
        with reading(self.file.stem, self.file.name, self.at):
            values = np.fromfile(self.file, header.dtype, numel(header.shape), offset=header.start)
            return values.reshape(header.shape, order="F" if header.fortran else "C")

    def in_file(self) -> StoredArray:
        header = self._header()
        with reading(self.file.stem, self.file.name, self.at):
            return StoredArray(self.file, header.start, header.shape, header.dtype)

    def _header(self) -> Header:
        with reading(self.file.stem, self.file.name, self.at), self.file.open("rb") as stream:
            return read_header(stream, self.file.stat().st_size)


def _listed(paths: tuple[str, ...]) -> str:
    return paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
