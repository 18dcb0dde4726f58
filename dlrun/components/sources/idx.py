from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Source, SourceError, Table, resolve
from dlrun.components.sources._array_values import BLOCK, DEFLATE
from dlrun.components.sources._arrays import Arrays, Unread
from dlrun.components.sources._folder import names_in, need_all, needs
from dlrun.components.sources._own_splits import WORDS, Part
from dlrun.components.sources._split_arrays import join
from dlrun.errors import SpecPath
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import shorten
from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FOLDER = ("source", "idx", "path")
NAME = re.compile(r"(?:(?P<set>.+)-)?(?P<part>train|t10k|test)-(?P<what>image|label)s[-.]idx\d+-\w+?(?:\.gz)?")
USUAL = tuple(f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
"""The names of the files of MNIST."""
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""numpy's names of the format's types of values."""
MOST_AXES = 32


class Idx(Source):
    """Images and labels in the files of MNIST, Fashion-MNIST, KMNIST or EMNIST, which a folder has.

    The arrays are `image`, whole numbers from 0 to 255, and `label`, which is the target unless `data.target` names
    another. The files of `train` are for training and validation, and those of `t10k` or `test` are the test. They may
    be compressed (`.gz`). Nothing is downloaded.

    The images of EMNIST are stored with rows and columns exchanged, and come as they are stored, as torchvision gives
    them; the layer `permute: [0, 2, 1]` turns them. The labels of its set `letters` are 1 to 26.

    Shape: (1, 28, 28), one channel; (axes) for images with more or fewer axes
    Reference: LeCun, Cortes, Burges, The MNIST database of handwritten digits, 1998; Cohen et al., EMNIST: an
        extension of MNIST to handwritten letters, 2017.
    Example: idx: data/mnist
    """

    synonyms = ("mnist", "fashion_mnist", "emnist")

    path: FilePath
    """The folder with the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte; a relative path starts from the folder of the file that has it."""
    set: str | None = None
    """What the names of the files begin with, such as `emnist-letters`, if the folder has several sets."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        place = resolve(self.path, folder, FOLDER, ("folder",), needs(USUAL))
        files = _files(place, self.set)
        unread = {file.name: _File(file, what == "image") for (what, _), file in files.items()}
        arrays: dict[str, Unread | SourceError] = {}
        for what in ("image", "label"):
            parts: dict[Part, str] = {part: file.name for (sort, part), file in files.items() if sort == what}
            arrays[what] = join(what, parts, unread, FOLDER, "put the files of one set into the folder")
        return Arrays(place.name, FOLDER, arrays, "label", ("image",))

    def origin(self) -> tuple[str, str]:
        return self.set or Path(self.path).name, self.path


def _files(folder: Path, chosen: str | None) -> dict[tuple[str, Part], Path]:
    """The four files of a set.

    Raises:
        SourceError: one is not there, or there are several sets.
    """
    sets: dict[str, dict[tuple[str, Part], Path]] = {}
    for name in names_in(folder, FOLDER):  # without .gz first: that is the shorter name
        if match := NAME.fullmatch(name):
            part = WORDS.get(match["part"], "test")
            sets.setdefault(match["set"] or "", {}).setdefault((match["what"], part), folder / name)
    if chosen is None and len(sets) > 1:
        hint = f"choose one: `idx: {{path: …, set: {max(sets)}}}`"
        raise SourceError(f"the folder {folder.name} has several sets, {_listed(sets)}", FOLDER, hint)
    name = chosen if chosen is not None else next(iter(sets), "")
    if chosen is not None and chosen not in sets:
        message = f"the folder {folder.name} has no files whose names begin with '{chosen}'"
        raise SourceError(message, ("source", "idx", "set"), f"sets in the folder: {_listed(sets)}" if sets else "")
    files = sets.get(name, {})
    before, test = (f"{name}-", "test") if name else ("", "t10k")
    usual = [before + file.replace("t10k", test) for file in USUAL]
    keys: list[tuple[str, Part]] = [(what, part) for part in ("train", "test") for what in ("image", "label")]
    names = [files[key].name if key in files else file for key, file in zip(keys, usual, strict=True)]
    need_all(folder, names, [file.name for file in files.values()], FOLDER, "; each may end in .gz")
    return files


def _listed(sets: dict[str, Any]) -> str:
    return ", ".join(name or "one without a name" for name in sets)


class _File(Unread):
    """An array in a file, which may be compressed; an image with two axes has one channel."""

    def __init__(self, file: Path, image: bool):
        import numpy as np

        self.file, self.packed = file, file.suffix == ".gz"
        with _reading(file), self._open() as stream:
            kind, self.held = _header(stream)
            self.start = stream.tell()
            self.dtype = np.dtype(TYPES[kind])
            self.size = numel(self.held) * self.dtype.itemsize
            held = file.stat().st_size - self.start
            room = DEFLATE * file.stat().st_size if self.packed else held
            if self.size > room or (self.size < room and not self.packed):
                raise ValueError(self._wrong(f"at most {room}" if self.packed else str(room)))
        self.shape = (self.held[0], 1, *self.held[1:]) if image and len(self.held) == 3 else self.held

    def read(self) -> Array:
        import numpy as np

        with _reading(self.file):
            if not self.packed:
                values = np.fromfile(self.file, self.dtype, numel(self.shape), offset=self.start)
                return values.reshape(self.shape)
            with self._at_values() as stream:
                content = stream.read(self.size + 1)
            if len(content) != self.size:
                raise ValueError(self._wrong(f"{'at least ' * (len(content) > self.size)}{len(content)}"))
            return np.frombuffer(content, self.dtype).reshape(self.shape)

    def blocks(self) -> Iterator[Array]:
        import numpy as np

        with _reading(self.file), self._at_values() as stream:
            left = self.size
            while content := stream.read(min(left, BLOCK * self.dtype.itemsize)):
                yield np.frombuffer(content, self.dtype)
                left -= len(content)

    def _wrong(self, size: str) -> str:
        return f"its {size} bytes of values are not {shorten(show(self.held))[1:-1]} of type {self.dtype}"

    def _open(self) -> gzip.GzipFile | BufferedReader:
        return gzip.open(self.file) if self.packed else self.file.open("rb")

    @contextmanager
    def _at_values(self) -> Iterator[gzip.GzipFile | BufferedReader]:
        with self._open() as stream:
            if _header(stream)[1] != self.held:
                raise ValueError("the file changed while it was read")
            yield stream


def _header(stream: gzip.GzipFile | BufferedReader) -> tuple[int, Shape]:
    """The type of the values, and the shape.

    Raises:
        ValueError: there is no header.
    """
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
        raise ValueError("it does not begin as an idx file: two bytes of 0, the type, the number of axes")
    if head[3] > MOST_AXES:
        raise ValueError(f"it has {head[3]} axes, and at most {MOST_AXES} are read")
    sizes = stream.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise ValueError(f"it ends before the sizes of its {head[3]} axes")
    return head[2], tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))


@contextmanager
def _reading(file: Path, at: SpecPath = FOLDER) -> Iterator[None]:
    """Turn whatever a damaged file ends in into one error."""
    try:
        yield
    except Exception as error:  # gzip and zlib raise errors of many types
        raise SourceError(f"{file.name} cannot be read: {error}", at, "copy or unpack it again") from None
