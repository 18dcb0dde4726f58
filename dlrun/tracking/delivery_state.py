"""tracking.json: how much of a run each store has, so that a later delivery continues from there.

It only saves work: sending something twice adds nothing.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlrun.errors import without_password
from dlrun.runs import durable

NAME = "tracking.json"


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """How much of a run one store has."""

    run: str | None = None
    """The run's id there."""
    journal: int = 0
    """How many bytes of the journal are delivered."""
    complete: bool = False
    """Whether everything is delivered, the final status included."""


def recall(folder: Path, uri: str) -> DeliveryState | None:
    """What a store has of a run; None if no delivery to it was ever started."""
    content = _read(folder).get(without_password(uri))
    if not isinstance(content, dict):
        return None
    run, journal, complete = content.get("run"), content.get("journal"), content.get("complete")
    if type(run) is not str or type(journal) is not int or type(complete) is not bool:
        return DeliveryState()
    return DeliveryState(run, journal, complete)


def remember(folder: Path, uri: str, delivered: DeliveryState) -> None:
    """Write down what a store has; a folder that is read-only stays as it is."""
    content = {**_read(folder), without_password(uri): asdict(delivered)}
    with contextlib.suppress(OSError):
        durable.replace_file(folder / NAME, [json.dumps(content, indent=2).encode() + b"\n"])


def _read(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads(durable.read(folder / NAME))
        return content if isinstance(content, dict) else {}
    return {}
