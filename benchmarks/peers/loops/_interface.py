"""The arguments of every loop, and the report that it prints at its end."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Clock:
    """The end time of each epoch, and the mean loss during its training."""

    stamps: list[float] = field(default_factory=lambda: [time.time()])
    losses: list[Any] = field(default_factory=list)

    def epoch(self, loss: Any) -> None:
        """Record the end of an epoch; its loss is read only when the run is over."""
        self.stamps.append(time.time())
        self.losses.append(loss)


@dataclass(frozen=True)
class Arguments:
    """The command line: NAME FILE ROWS BATCH EPOCHS [DEVICE]."""

    name: str
    file: str
    rows: int
    batch: int
    epochs: int
    device: str = "cpu"

    @classmethod
    def read(cls) -> Arguments:
        """Read them from the command line."""
        name, file, rows, batch, epochs, *device = (word for word in sys.argv[1:] if not word.startswith("--"))
        return cls(name, file, int(rows), int(batch), int(epochs), *device)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The training rows."""
        with np.load(self.file) as archive:
            return archive["x"][: self.rows], archive["y"][: self.rows]


def report(clock: Clock, weights: int, **more: Any) -> None:
    """Print the report, as the last line of the output."""
    losses = [float(loss) for loss in clock.losses]
    print("\n" + json.dumps({"stamps": clock.stamps, "losses": losses, "weights": weights, **more}))
