"""tracking.json: how far a run was delivered, store by store, so that a later delivery goes on from there.

It saves work and is not needed: what is sent twice adds nothing.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlrun.runs import durable
from dlrun.tracking.store import without_password

NAME = "tracking.json"


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """What one store has of a run."""

    run: str | None = None
    """The run's id there."""
    journal: int = 0
    """How many bytes of the journal have arrived."""
    complete: bool = False
    """Whether everything has, the last status too."""


def recall(folder: Path, uri: str) -> DeliveryState | None:
    """What a store is known to have; None if it never was to have the run."""
    said = _read(folder).get(without_password(uri))
    if not isinstance(said, dict):
        return None
    run, journal, complete = said.get("run"), said.get("journal"), said.get("complete")
    if type(run) is not str or type(journal) is not int or type(complete) is not bool:
        return DeliveryState()
    return DeliveryState(run, journal, complete)


def remember(folder: Path, uri: str, delivered: DeliveryState) -> None:
    """Write down what a store has. Where nothing can be written, nothing is."""
    said = {**_read(folder), without_password(uri): asdict(delivered)}
    with contextlib.suppress(OSError):
        durable.replace_file(folder / NAME, [json.dumps(said, indent=2).encode() + b"\n"])


def _read(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        said = json.loads((folder / NAME).read_bytes())
        return said if isinstance(said, dict) else {}
    return {}
