"""Data sources: what stands in `data.source`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dlrun.language.component import Component
from dlrun.language.target_kind import TargetKind
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import numpy as np


class SourceError(Exception):
    """The data is not as the spec says; `at` is the path below `data` that it is about."""

    def __init__(self, message: str, at: tuple[str | int, ...], hint: str = ""):
        super().__init__(message)
        self.message, self.at, self.hint = message, at, hint


@dataclass(frozen=True, slots=True)
class Request:
    """What the `data` section asks of a source."""

    folder: Path
    """Where relative paths start: the spec's folder."""
    features: tuple[str, ...] | None
    target: tuple[str, ...] | None
    wants: TargetKind
    """How the target is to be read."""
    other_targets: tuple[str, ...] = ()
    """What else is predicted, and so is no feature unless it is named as one."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What can be said of the data before any of it is in memory."""

    rows: int
    shape: Shape
    """One row's features."""
    target_shape: Shape
    """One row's target: () for one value."""
    labels: tuple[str, ...] | None
    """The classes in order, where the target is classes."""
    vocabulary: int | None = None
    """One more than the greatest index, where the features are whole numbers."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The data, read: `features` (rows, ...) of numbers or indices, `target` as the source has it."""

    features: np.ndarray[Any, Any]
    target: np.ndarray[Any, Any]


class Source(Component):
    """Where rows come from. A source says what it holds without loading it, and loads it when needed."""

    family: ClassVar[str] = "sources"

    def describe(self, request: Request) -> SourceInfo:
        """Look without loading; imports neither torch nor scikit-learn.

        Raises:
            SourceError: what is asked for is not there.
        """
        raise NotImplementedError

    def load(self, request: Request) -> Rows:
        """Read everything.

        Raises:
            SourceError: what is asked for is not there, or is no number where one is needed.
        """
        raise NotImplementedError

    def located(self, folder: Path) -> Source:
        """The same source with its paths made absolute, so that it can be written elsewhere."""
        return self


def class_labels(values: Iterable[Any]) -> tuple[str, ...]:
    """The distinct values as labels, in the order of their class numbers: by size, or by alphabet."""
    distinct = sorted({str(value) for value in values})  # so that '1' and '1.0' have an order too
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
    """A path of the spec as a file that is there.

    Raises:
        SourceError: there is no such file.
    """
    try:
        full = (folder / Path(path).expanduser()).resolve()
        if full.is_file():
            return full
        what = "is a folder" if full.is_dir() else "is not there"
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"the path cannot be read: {error}", at) from None
    raise SourceError(f"the file {path} {what}", at, f"looked for {full}; paths start from the spec's folder")
