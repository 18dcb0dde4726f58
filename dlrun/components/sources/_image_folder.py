"""A folder with a folder of images for each class, perhaps below folders `train`, `validation` and `test`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import Field, SourceError, SourceNote, SplitName, Table, Texts
from dlrun.components.sources._images import AT, ImageFiles, ImageSettings
from dlrun.components.sources._labels import judge
from dlrun.components.sources._own_splits import ORDER, WORDS, Part, own_splits
from dlrun.components.sources._pixels import ENDINGS
from dlrun.errors import SpecPath
from dlrun.language.labels import class_labels

if TYPE_CHECKING:
    import numpy as np

    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]

IMAGE, LABEL = "image", "label"
UNPACKED = "__MACOSX"
"""A folder that a program for archives leaves, with no data in it."""


@dataclass(frozen=True, slots=True)
class _Class:
    """The images of one class in one split."""

    label: str
    folder: str
    """Its path below the source's folder."""
    images: list[str]
    """The names of the files."""


class FolderImages(Table):
    """The images of a folder, split by split and class by class, each in the order of the files' names."""

    noun = "field"
    value = "image"
    at = AT
    own_target = LABEL

    def __init__(self, root: Path, settings: ImageSettings, whole: bool):
        """List the files of `root`, and look at some of them; `whole` says whether all will be decoded."""
        self.root, self.name = root, root.name
        listing = _Listing(root, settings.outside)
        try:
            self.classes, self.own_splits = listing.read()
        except OSError as error:
            where = Path(error.filename).name if error.filename else root.name
            raise SourceError(f"the folder {where} cannot be read: {error.strerror or error}", AT) from None
        paths = [f"{one.folder}/{name}" for one in self.classes for name in one.images]
        if not paths:
            endings = ", ".join(ending[1:] for ending in ENDINGS)
            raise SourceError(f"the folder {root.name} holds no images", AT, f"an image is a file {endings}")
        self.rows = self.read_rows = len(paths)
        self.images = ImageFiles(root.name, root, paths, settings, whole)
        self.fields = {IMAGE: self.images.field(IMAGE), LABEL: Field(LABEL, "text", what="the names of folders")}
        self.labels = class_labels(one.label for one in self.classes if one.images)
        self._notes = (*listing.notes(), *judge(self.labels, self.rows, f"the folder {self.name}", AT))

    def read(
        self, numbers: Mapping[str, SpecPath], texts: Mapping[str, SpecPath], lacking: Collection[str] = ()
    ) -> None:
        if LABEL in numbers:
            message = "the field 'label' holds the names of folders, but numbers are needed"
            hint = "for numbers of each image, list their paths and numbers in a csv: `images: rows.csv`"
            raise SourceError(message, numbers[LABEL], hint)
        if IMAGE in texts:
            raise SourceError("the field 'image' holds images, which are no classes", texts[IMAGE], self.listed())

    def numbers(self, names: Sequence[str]) -> StoredArray:
        return self.images.cached().values

    def digest(self, names: Sequence[str]) -> str | None:
        return self.images.cached().digest if list(names) == [IMAGE] else None

    def texts(self, name: str) -> Texts:
        import numpy as np

        distinct = tuple(dict.fromkeys(one.label for one in self.classes if one.images))
        numbers = [distinct.index(one.label) for one in self.classes if one.images]
        return Texts(distinct, np.repeat(numbers, [len(one.images) for one in self.classes if one.images]))

    def is_cheap(self, names: Sequence[str]) -> bool:
        return IMAGE not in names

    def notes(self) -> tuple[SourceNote, ...]:
        return self._notes

    def counts(self, name: str) -> Mapping[str, int] | None:
        counts = dict.fromkeys(self.labels, 0)
        for one in self.classes:
            if one.images:
                counts[one.label] += len(one.images)
        return counts

    def cell(self, name: str, row: int) -> str:
        return f"the {name} of {self.images.paths[row]}"

    def forget(self) -> None:
        self.images.forget()


class _Listing:
    """What is in the folders."""

    def __init__(self, root: Path, outside: bool):
        self.root, self.outside = root, outside
        self.others: list[str] = []
        """Files that are no images."""
        self.empty: list[str] = []
        """Folders of classes without images."""

    def read(self) -> tuple[list[_Class], dict[SplitName, range]]:
        """The classes of every split, training first, and the rows of the other splits.

        Raises:
            SourceError: a folder is not where it can be; a link leads outside.
            OSError: a folder cannot be read.
        """
        folders, images = self._entries("")
        if not folders:
            hint = f"each class has a folder, named after it: {self.root.name}/circle/1.png; or list paths in a csv"
            raise SourceError(f"the folder {self.root.name} has no folder of a class in it", AT, hint)
        if images:
            message = f"{self.root.name}/{images[0]} lies beside the folders of the classes"
            raise SourceError(message, AT, "move it into the folder of its class, or away")
        if "train" not in folders or not {*folders} <= WORDS.keys():
            return [self._class("", name) for name in folders], {}
        parts: dict[Part, list[_Class]] = {}
        seen: dict[Part, str] = {}
        for split in folders:
            part = WORDS[split]
            if part in seen:
                raise SourceError(f"{seen[part]} and {split} are folders for one split", AT, "put them together")
            seen[part] = split
            within, images = self._entries(split)
            if images or not within:
                what = f"holds images, such as {images[0]}," if images else "is empty,"
                message = f"the folder {self.root.name}/{split} {what} and must have a folder for each class"
                raise SourceError(message, AT, f"such as {self.root.name}/{split}/circle")
            parts[part] = [self._class(split, name) for name in within]
        sizes: dict[Part, int] = {part: sum(len(one.images) for one in classes) for part, classes in parts.items()}
        return [one for part in ORDER for one in parts.get(part, ())], own_splits(sizes)

    def notes(self) -> Iterator[SourceNote]:
        """What was left out."""
        if self.others:
            more = f" and {len(self.others) - 1:,} more" if len(self.others) > 1 else ""
            message = f"{self.root.name} has other files than images, which are left out: {min(self.others)}{more}"
            yield SourceNote("other_files", message, AT, f"an image ends in {', '.join(ENDINGS)}")
        if self.empty:
            more = f" and {len(self.empty) - 1:,} more" if len(self.empty) > 1 else ""
            message = f"{self.root.name} has folders without an image, which are no classes: {min(self.empty)}{more}"
            yield SourceNote("empty_folders", message, AT)

    def _class(self, above: str, name: str) -> _Class:
        folder = f"{above}/{name}" if above else name
        try:
            name.encode()
        except UnicodeEncodeError:
            raise SourceError(f"the name of the folder {folder} is not UTF-8", AT, "give it another name") from None
        folders, images = self._entries(folder)
        if folders:
            message = f"{self.root.name}/{folder}/{folders[0]} is a folder in the folder of a class"
            hint = "a class has its images in one folder; above the classes, only train, validation and test may be"
            raise SourceError(message, AT, hint)
        if not images:
            self.empty.append(folder)
        return _Class(name, folder, images)

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        """The folders and the images in a folder below the root, by name; hidden ones are left out."""
        folders, images = [], []
        with os.scandir(self.root / folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == UNPACKED:
                    continue
                if entry.is_symlink() and not self.outside:
                    self._hold_within(Path(entry.path))
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file() and entry.name.lower().endswith(ENDINGS):
                    images.append(entry.name)
                else:
                    self.others.append(f"{folder}/{entry.name}" if folder else entry.name)
        return sorted(folders), sorted(images)

    def _hold_within(self, link: Path) -> None:
        target = Path(os.path.realpath(link))  # unlike `resolve`, never an error
        if not target.is_relative_to(self.root):
            name = link.relative_to(self.root)
            message = f"{self.root.name}/{name} is a link that leads out of the folder, to {target}"
            raise SourceError(message, AT, "`outside: true` allows it")
