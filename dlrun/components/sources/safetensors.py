from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Source, SourceError, Table, resolve
from dlrun.components.sources._arrays import Arrays, Unread, can_stay, reading
from dlrun.components.sources._split_arrays import joined
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import shorten
from dlrun.safetensors_header import BITS, TYPES, Entry, read_header
from dlrun.shapes import numel
from dlrun.stored import StoredArray

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FILE = ("source", "safetensors", "path")


class Safetensors(Source):
    """Tensors of a safetensors file: `features` and `target` name some of them; the first axis is the rows.

    Values stay on the disk, as those of an npy do, and may be larger than the memory. bfloat16 becomes float32, which
    keeps each value, in the memory. Whole numbers stay whole and can be indices for an embedding. As in an npz,
    `x_train` and `x_test` make an array `x`, and the target depends on the loss.

    Shape: the axes of the features after the first; an array with one axis has one number in each row, (1,)
    Reference: Hugging Face, Safetensors: format, 2022.
    Example: safetensors: digits.safetensors
    """

    path: FilePath
    """The file, written by `save_file` of the safetensors library; a relative path starts from the folder of the file
    that has it."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        file = resolve(self.path, folder, FILE)
        try:
            header = read_header(file)
        except (ValueError, OSError) as error:
            hint = "write one with `save_file` of the safetensors library"
            raise SourceError(f"{file.name} is not a safetensors file, or is damaged: {error}", FILE, hint) from None
        if not header:
            raise SourceError(f"{file.name} holds no arrays", FILE)
        unread, features, target = joined({name: _unread(file, name, header[name]) for name in header}, FILE)
        return Arrays(file.name, FILE, unread, target, features)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


def _unread(file: Path, name: str, entry: Entry) -> Unread | SourceError:
    if entry.type in BITS:
        message = f"the array {shorten(name)} holds values of type {entry.type}, which numpy has not"
        return SourceError(message, FILE, "save it as float32: `x.float()`")
    return _Tensor(file, name, entry)


class _Tensor(Unread):
    """A tensor in a file."""

    def __init__(self, file: Path, name: str, entry: Entry):
        import numpy as np

        self.file, self.name, self.entry, self.shape = file, name, entry, entry.shape
        self.dtype = np.dtype(np.float32 if entry.type == "BF16" else TYPES[entry.type])
        self.is_in_file = entry.type != "BF16" and can_stay(self.shape, self.dtype)

    def read(self) -> Array:
        import numpy as np

        with reading(self.name, self.file.name, FILE):
            if read_header(self.file).get(self.name) != self.entry:
                raise ValueError("the file changed while it was read")
            kind = TYPES[self.entry.type]
            values = np.fromfile(self.file, kind, numel(self.shape), offset=self.entry.start).reshape(self.shape)
            if self.entry.type == "BF16":
                return (values.astype(np.uint32) << 16).view(np.float32)
            return values

    def in_file(self) -> StoredArray:
        with reading(self.name, self.file.name, FILE):
            if read_header(self.file).get(self.name) != self.entry:
                raise ValueError("the file changed while it was read")
            return StoredArray(self.file, self.entry.start, self.shape, self.dtype)
