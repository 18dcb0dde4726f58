"""Descriptions of a run and its records, and the interface of a tracker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Status = Literal["FINISHED", "FAILED", "KILLED"]

DEFAULT_STORE = "default"
"""The store in the same folder as the run, even if that folder is moved."""


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
    """The shape of one row."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The description of a run, complete when the run starts."""

    name: str
    experiment: str
    """The MLflow experiment that the run belongs to."""
    description: str
    folder: Path
    started: int
    """Milliseconds since 1970. With the tag `run.folder` this identifies a run, also after a resume."""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Text files by name: the spec, the table of layers."""
    data: DataSet | None = None
    classes: dict[str, Any] = field(default_factory=dict)
    """For each target of classes and each class: the rows in training, validation and test."""
    store: str | None = DEFAULT_STORE
    """The address of the MLflow store for the run; None for no store."""
    parent: Path | None = None
    """The folder of the run that this one is a part of, as each fold of several is; it is the folder around its own."""
    monitor: str = ""
    """The metric that decides which weights are the best, such as `validation/loss`."""
    greater_is_better: dict[str, bool] = field(default_factory=dict)
    """The losses and the metrics, without the part of the data in front, of which more, or less, is better."""


@dataclass(frozen=True, slots=True)
class Record:
    """The metrics of one moment."""

    epoch: int
    step: int
    """Number of optimizer steps so far."""
    time: int
    """Milliseconds since 1970."""
    metrics: dict[str, float]


class Tracking(Protocol):
    """Delivers a run to a tracker. Everything is in the run's folder already, and only `end` waits.

    Entering `with` starts what takes time before there is a run; after leaving it, no process stays for long.
    """

    def begin(self, run: RunInfo) -> None:
        """The run starts, or is resumed; its folder holds run.json."""
        ...

    def end(self, status: Status, timeout: float) -> str:
        """The run has ended. Returns '' once everything is delivered, or what is missing after `timeout` seconds."""
        ...

    def where(self) -> str:
        """How to see the run, as a command or an address; '' if there is nothing to see."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
