"""The overview of the data of a spec, as plain values: whoever loads the data fills it in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

DIGEST = 12
"""Characters of a digest that people are shown."""


@dataclass(frozen=True, slots=True)
class SplitRows:
    """The rows of a split."""

    name: str
    rows: int
    fingerprint: str
    """SHA-256 over the data and the numbers of the rows."""
    classes: dict[str, dict[str, int]]
    """For each target of classes how many rows each class has."""


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """A field of the data, over the training rows."""

    name: str
    type: str
    use: str
    """`input`, `target`, several inputs by name, or `not used`."""
    missing: int | None = None
    """Training rows without a value; None where the field is not read."""
    summary: str = ""
    """Its values in a few words."""
    histogram: tuple[int, ...] = ()
    """For numbers, how many training rows lie in each of equally wide parts of their range."""
    lowest: float = 0.0
    highest: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """The first training rows of an input at one point on their way into the network."""

    input: str
    title: str
    """Where that is, such as `after pca`."""
    shape: tuple[int, ...]
    """One row's."""
    columns: tuple[str, ...] = ()
    """The name of each number or text of a row; none for images and other arrays."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Their values as text."""
    variance: tuple[float, ...] = ()
    """Of a projection: the share of the variance of what it takes, along each of its directions, from the training
    rows."""
    points: tuple[tuple[float, float, int], ...] = ()
    """Of a projection: some training rows in its first two directions, each with the number of its class, or 0."""
    labels: tuple[str, ...] = ()
    """The classes of `points`."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, ready for a page."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Pictures of a training row: as it is, and as augmentation changes it."""

    input: str
    label: str
    """Its class; '' where there is none."""
    pictures: tuple[Picture, ...]
    """The row as it is, then as in the first epochs where there is augmentation."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What the network will see."""

    name: str
    """What the data is called."""
    where: str
    digest: str
    rows: int
    splits: tuple[SplitRows, ...]
    fields: tuple[FieldSummary, ...]
    stages: tuple[Stage, ...]
    samples: tuple[Sample, ...] = field(default=(), repr=False)

    def as_data(self) -> dict[str, Any]:
        """The overview as JSON-ready data, without the pictures."""
        found = asdict(self)
        del found["samples"]
        return found
