"""Data sources: the components of `data.source`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.errors import LocatedError, SpecPath
from dlrun.language.component import Component
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np


class SourceError(LocatedError):
    """The data does not match the spec; `at` is the path below `data` of the setting concerned."""

    def __init__(self, message: str, at: SpecPath, hint: str = ""):
        super().__init__(message, hint, at)


@dataclass(frozen=True, slots=True)
class Request:
    """What the `data` section requests from a source."""

    folder: Path
    """The folder that relative paths start from: the spec's."""
    features: tuple[str, ...] | None
    target: tuple[str, ...] | None
    wants: TargetKind
    """How the target is to be read."""
    other_targets: tuple[str, ...] = ()
    """Other columns that are predicted, which are not features unless `features` lists them."""


@dataclass(frozen=True, slots=True)
class SourceNote:
    """A note about the data; see `dlrun.language.notes`."""

    name: str
    message: str
    at: SpecPath
    """The path below `data` of the setting concerned."""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about the data before it is loaded."""

    rows: int
    shape: Shape
    """The shape of the features of one row."""
    target_shape: Shape
    """The shape of the target of one row: () for one value."""
    labels: tuple[str, ...] | None
    """The classes in order, where the target is classes."""
    vocabulary: int | None = None
    """The largest index plus one, where the features are whole numbers."""
    counts: tuple[int, ...] | None = None
    """How many rows each class has, in the order of the labels."""
    classes: Sequence[int] | None = field(default=None, repr=False, compare=False)
    """Each row's class number; None where that is not known without loading."""
    notes: tuple[SourceNote, ...] = ()
    """What can be meant but rarely is."""
    number_bytes: int = field(default=8, compare=False)
    """The bytes that a number of the features takes once loaded."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The loaded data: `features` (rows, ...) of numbers or indices, `target` as the source has it."""

    features: np.ndarray[Any, Any]
    target: np.ndarray[Any, Any]


class Source(Component):
    """Where rows come from. A source can describe its data without loading it."""

    family: ClassVar[str] = "sources"
    knows_indices: ClassVar[bool] = False
    """Whether features without a `vocabulary` are no indices; otherwise that is not known before they are loaded."""

    def describe(self, request: Request) -> SourceInfo:
        """Describe the data without loading it; imports neither torch nor scikit-learn.

        Raises:
            SourceError: the data does not have what the request needs.
        """
        raise NotImplementedError

    def origin(self) -> tuple[str, str]:
        """The name of the data and where it is, for people and trackers."""
        return self.kind, self.kind

    def load(self, request: Request) -> Rows:
        """Load all rows.

        Raises:
            SourceError: the data does not have what the request needs, or a value is not a number where one is needed.
        """
        raise NotImplementedError


def class_labels(values: Iterable[Any]) -> tuple[str, ...]:
    """The distinct values as labels, in the order of their class numbers: by size, or by alphabet."""
    distinct = sorted({str(value) for value in values})  # so '1' and '1.0' have an order too
    try:
        return tuple(sorted(distinct, key=_size))
    except ValueError:
        return tuple(distinct)


def _size(label: str) -> float:
    size = float(label)
    if size != size:
        raise ValueError("not a number has no place among numbers")
    return size


def resolve(path: str, folder: Path, at: tuple[str, ...]) -> Path:
    """Return the path of an existing file that the spec names.

    Raises:
        SourceError: there is no such file.
    """
    try:
        full = (folder / Path(path).expanduser()).resolve()
        if full.is_file():
            return full
        what = "is a folder" if full.is_dir() else "does not exist"
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"the path cannot be read: {error}", at) from None
    hint = f"looked for {full}; a path starts from the folder of the file that has it"
    raise SourceError(f"the file {path} {what}", at, hint)
