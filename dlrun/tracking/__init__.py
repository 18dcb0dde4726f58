"""From a run to where runs are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True, slots=True)
class DataSet:
    """The data of a run, as a tracker shows it."""

    name: str
    """Such as `digits`, or a file's name."""
    digest: str
    """A hash of all rows; the same digest is the same data."""
    source: str
    """Where it came from: a path, or `sklearn:digits`."""
    source_type: str
    """The source's kind: csv, npz, sklearn."""
    rows: int
    shape: tuple[int, ...]
    """One row."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known of a run when it begins."""

    name: str
    experiment: str
    description: str
    folder: Path
    started: int
    """Milliseconds since 1970."""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Files of text by name: the spec, the table of layers."""
    data: DataSet | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Figures of one moment."""

    epoch: int
    time: int
    """Milliseconds since 1970."""
    metrics: dict[str, float]


class Tracking(Protocol):
    """Receives a run. No call waits for anything but `end`."""

    def begin(self, run: RunInfo) -> None:
        """The run starts."""
        ...

    def record(self, record: Record) -> None:
        """Figures to show."""
        ...

    def end(self, status: Status, timeout: float) -> str:
        """The run is over. Gives '' once everything is delivered, or what went wrong after `timeout` seconds."""
        ...

    def where(self) -> str:
        """How to see the run, as a command or an address; '' if there is nothing to see."""
        ...
