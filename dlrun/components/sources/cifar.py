from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Source, SourceError, Table, resolve
from dlrun.components.sources._array_values import BLOCK
from dlrun.components.sources._arrays import Arrays, Unread, reading
from dlrun.components.sources._folder import names_in, need_all, needs
from dlrun.components.sources._split_arrays import Joined
from dlrun.language.paths import FilePath
from dlrun.shapes import Shape, numel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FOLDER = ("source", "cifar", "path")
IMAGE: Shape = (3, 32, 32)


@dataclass(frozen=True, slots=True)
class _Set:
    """One of the two data sets, as its page describes it."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: tuple[tuple[str, int, str], ...]
    """The labels that stand before an image, a byte each: the name, how many classes, and the file of their names."""
    python: str
    """A file that the version for Python has in place of them."""
    archive: str

    @property
    def files(self) -> tuple[str, ...]:
        """All files that are needed."""
        return (*self.train, *self.test)


SETS = (
    _Set(
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        ("test_batch.bin",),
        (("label", 10, "batches.meta.txt"),),
        "data_batch_1",
        "cifar-10-binary.tar.gz",
    ),
    _Set(
        ("train.bin",),
        ("test.bin",),
        (("coarse_label", 20, "coarse_label_names.txt"), ("label", 100, "fine_label_names.txt")),
        "train",
        "cifar-100-binary.tar.gz",
    ),
)


class Cifar(Source):
    """Images and labels of CIFAR-10 or CIFAR-100, in the files of their binary version, which a folder has.

    The arrays are `image`, whole numbers from 0 to 255 (red, green, blue), and `label`, which is the target unless
    `data.target` names another; CIFAR-100 has `coarse_label` too, of 20 classes. The classes have names where the
    folder has batches.meta.txt, or fine_label_names.txt and coarse_label_names.txt. The files for training are for
    training and validation, the others are the test. Nothing is downloaded.

    Shape: (3, 32, 32)
    Reference: Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    Example: cifar: data/cifar-10-batches-bin
    """

    synonyms = ("cifar10", "cifar100")

    path: FilePath
    """The folder with data_batch_1.bin to data_batch_5.bin and test_batch.bin, or with train.bin and test.bin; a
    relative path starts from the folder of the file that has it."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        place = resolve(self.path, folder, FOLDER, ("folder",), needs(SETS[0].files))
        found = _found(place)
        arrays: dict[str, Unread | SourceError] = {"image": _joined(place, found, "image", len(found.labels))}
        for index, (name, classes, file) in enumerate(found.labels):
            arrays[name] = _joined(place, found, name, index, _class_names(place, classes, file))
        return Arrays(place.name, FOLDER, arrays, "label", ("image",))

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name, self.path


def _found(folder: Path) -> _Set:
    """Which data set a folder has.

    Raises:
        SourceError: a file is missing, or it has both.
    """
    names = names_in(folder, FOLDER)
    there = [kind for kind in SETS if any(file in names for file in kind.files)]
    if len(there) > 1:
        raise SourceError(
            f"the folder {folder.name} has the files of CIFAR-10 and of CIFAR-100", FOLDER, "give each a folder"
        )
    python = [kind for kind in SETS if kind.python in names]
    if python and not there:
        hint = f"take the binary version, {python[0].archive}"
        raise SourceError(f"the folder {folder.name} has the files for Python, which can hold code", FOLDER, hint)
    hint = "" if there else f"; for CIFAR-100: {', '.join(SETS[1].files)}"
    found = there[0] if there else SETS[0]
    need_all(folder, found.files, names, FOLDER, hint)
    return found


def _joined(folder: Path, found: _Set, name: str, place: int, classes: tuple[str, ...] = ()) -> Joined:
    train, test = (_Records(folder, name, files, found, place, classes) for files in (found.train, found.test))
    return Joined({"train": train, "test": test})


def _class_names(folder: Path, classes: int, file: str) -> tuple[str, ...]:
    """The names of the classes, in their order; the numbers, where the folder has no file of them.

    Raises:
        SourceError: the file is damaged.
    """
    path = folder / file
    if not path.is_file():
        return tuple(map(str, range(classes)))
    try:
        with path.open("rb") as stream:
            names = tuple(stream.read(1 << 16).decode("utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{file} cannot be read: {error}", FOLDER) from None
    if len(names) != classes or len(set(names)) != classes:
        message = f"{file} has {len(set(names))} names, and there are {classes} classes"
        raise SourceError(message, FOLDER, "unpack it again, or remove it: the classes are then numbers")
    return names


class _Records(Unread):
    """The images, or one of the labels, of some files: a record is a byte for each label, and the image.

    Args:
        folder: it has the files.
        name: what the array is called.
        files: their names.
        kind: the data set.
        place: where in a record the values begin.
        classes: the names of the classes; none for the images.
    """

    def __init__(self, folder: Path, name: str, files: Sequence[str], kind: _Set, place: int, classes: tuple[str, ...]):
        import numpy as np

        self.folder, self.name, self.files, self.place, self.classes = folder, name, files, place, classes
        self.bytes = len(kind.labels) + numel(IMAGE)
        self.dtype = np.dtype(np.uint8)
        self.shape = (sum(map(self._rows, files)), *(() if classes else IMAGE))

    def _rows(self, file: str) -> int:
        with reading(self.name, file, FOLDER):
            size = (self.folder / file).stat().st_size
            if not size or size % self.bytes:
                raise ValueError(f"its {size} bytes are not rows of {self.bytes} bytes")
        return size // self.bytes

    def read(self) -> Array:
        import numpy as np

        return np.concatenate(list(self.blocks()))

    def blocks(self) -> Iterator[Array]:
        import numpy as np

        step = BLOCK // self.bytes
        for file in self.files:
            with reading(self.name, file, FOLDER), (self.folder / file).open("rb") as stream:
                rows = self._rows(file)
                for start in range(0, rows, step):
                    count = min(step, rows - start)
                    records = np.frombuffer(stream.read(count * self.bytes), np.uint8).reshape(count, self.bytes)
                    yield (
                        records[:, self.place].copy() if self.classes else records[:, self.place :].reshape(-1, *IMAGE)
                    )
