"""What every loop is given, and what it says at its end."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Clock:
    """When each epoch ended, and its mean loss while it was trained."""

    stamps: list[float] = field(default_factory=lambda: [time.time()])
    losses: list[Any] = field(default_factory=list)

    def epoch(self, loss: Any) -> None:
        """An epoch is over; its loss is read at the very end."""
        self.stamps.append(time.time())
        self.losses.append(loss)


@dataclass(frozen=True)
class Given:
    """The command line: NAME FILE ROWS BATCH EPOCHS [DEVICE]."""

    name: str
    file: str
    rows: int
    batch: int
    epochs: int
    device: str = "cpu"

    @classmethod
    def read(cls) -> Given:
        """From the command line."""
        name, file, rows, batch, epochs, *device = (word for word in sys.argv[1:] if not word.startswith("--"))
        return cls(name, file, int(rows), int(batch), int(epochs), *device)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows that are trained on."""
        with np.load(self.file) as archive:
            return archive["x"][: self.rows], archive["y"][: self.rows]


def tell(clock: Clock, weights: int, **more: Any) -> None:
    """The last line of the output."""
    losses = [float(loss) for loss in clock.losses]
    print("\n" + json.dumps({"stamps": clock.stamps, "losses": losses, "weights": weights, **more}))
