"""From a run to where runs are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

Status = Literal["FINISHED", "FAILED", "KILLED"]

DEFAULT_STORE = "default"
"""The store that lies in the same folder as the run, wherever that is."""


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
    """The MLflow experiment that the run belongs to."""
    description: str
    folder: Path
    started: int
    """Milliseconds since 1970. With the tag `run.folder` this tells a run from all others, also after a resume."""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Files of text by name: the spec, the table of layers."""
    data: DataSet | None = None
    store: str | None = DEFAULT_STORE
    """The address of the MLflow store that the run is to be in; None for none."""


@dataclass(frozen=True, slots=True)
class Record:
    """Figures of one moment."""

    epoch: int
    step: int
    """Optimizer steps done."""
    time: int
    """Milliseconds since 1970."""
    metrics: dict[str, float]


class Tracking(Protocol):
    """Shows a run elsewhere. All of it is in the run's folder already, and no call waits for anything but `end`.

    `with` begins what takes time before there is a run, and whatever happens leaves nothing behind that lives on.
    """

    def begin(self, run: RunInfo) -> None:
        """The run starts, or goes on; its folder holds run.json."""
        ...

    def end(self, status: Status, timeout: float) -> str:
        """The run is over. Gives '' once everything is delivered, or what went wrong after `timeout` seconds."""
        ...

    def where(self) -> str:
        """How to see the run, as a command or an address; '' if there is nothing to see."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
