from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Source, SourceError, Table, resolve
from dlrun.components.sources._array_values import BLOCK, DEFLATE
from dlrun.components.sources._arrays import Arrays, Unread, reading
from dlrun.components.sources._cells import MISSING
from dlrun.components.sources._npy_header import read_header
from dlrun.components.sources._split_arrays import joined
from dlrun.language.paths import FilePath

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = ("source", "npz", "path")


class Npz(Source):
    """Arrays that numpy saved: `features` and `target` name some of them; the first axis is the rows.

    Whole numbers stay whole and can be indices for an embedding. No code in the file is run: arrays of Python objects
    are refused. The target depends on the loss: one class for each row, a whole number or a text; for
    binary_cross_entropy, two labels, or several values of 0 and 1; or numbers.

    If the arrays have the usual names `x_train`, `y_train`, `x_test`, `y_test` (and `x_val`), `x` and `y` are arrays
    too, with the rows for training, validation and test in this order, and the rows stay in their splits.

    Shape: the axes of the features after the first; an array with one axis has one number in each row, (1,)
    Reference: Harris et al., Array programming with NumPy, 2020.
    Example: npz: digits.npz
    """

    synonyms = ("numpy",)

    path: FilePath
    """The file, written by `numpy.savez` or `savez_compressed`; a relative path starts from the folder of the file that
    has it."""
    missing: tuple[str, ...] = MISSING
    """Texts that say that a value is missing, in any case; they cannot be classes. An empty text says it always."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        file = resolve(self.path, folder, FILE)
        unread, features, target = joined(_unread(file), FILE)
        no_missing = f"npz: {{path: {self.path}, missing: []}}"
        return Arrays(file.name, FILE, unread, target, features, self.missing, no_missing)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


class _Member(Unread):
    """An array in an archive."""

    def __init__(self, file: Path, name: str):
        self.file, self.name = file, name
        self._header()

    def read(self) -> Array:
        import numpy as np

        self._header()
        with reading(self.name, self.file.name, FILE), np.load(self.file, allow_pickle=False) as archive:
            return archive[self.name]

    def blocks(self) -> Iterator[Array]:
        import numpy as np

        self._header()
        size = BLOCK * self.dtype.itemsize
        with (
            reading(self.name, self.file.name, FILE),
            zipfile.ZipFile(self.file) as archive,
            archive.open(f"{self.name}.npy") as member,
        ):
            member.read(self.start)
            while content := member.read(size):
                yield np.frombuffer(content, self.dtype)

    def _header(self) -> None:
        """Read shape and type anew.

        Raises:
            SourceError: the header is damaged, or says more than the archive can hold.
        """
        with reading(self.name, self.file.name, FILE), zipfile.ZipFile(self.file) as archive:
            info = archive.getinfo(f"{self.name}.npy")
            plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if plain and info.file_size > DEFLATE * (info.compress_size + 1):
                raise ValueError(f"{info.compress_size} bytes of an archive cannot hold {info.file_size} bytes")
            with archive.open(info) as member:
                header = read_header(member, info.file_size)
        self.shape, self.dtype, self.start = header.shape, header.dtype, header.start


def _unread(file: Path) -> dict[str, Unread | SourceError]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
    except Exception:  # a damaged archive ends in errors of many types
        hint = "write one with `numpy.savez(path, x=…, y=…)`"
        raise SourceError(f"{file.name} is not an npz file, or is damaged", FILE, hint) from None
    names = [member.removesuffix(".npy") for member in members if member.endswith(".npy")]
    if not names:
        raise SourceError(f"{file.name} holds no arrays", FILE)
    if twice := [name for name in names if names.count(name) > 1]:
        raise SourceError(f"{file.name} holds two arrays called '{twice[0]}'", FILE, "write it again")
    found: dict[str, Unread | SourceError] = {}
    for name in names:
        try:
            found[name] = _Member(file, name)
        except SourceError as error:
            found[name] = error
    return found
