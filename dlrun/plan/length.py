"""How long training is, worked out from the rows and the settings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlrun.language.experiment import TrainSection

EPOCHS = 10
"""Epochs where a spec gives neither epochs nor steps."""


def evaluation_batch(batch: int) -> int:
    """Rows at a time without training: more fit, because nothing is kept for a backward pass."""
    return max(batch, min(4 * batch, 1024))


@dataclass(frozen=True, slots=True)
class Length:
    """The number of steps of a training, and the batches they come from."""

    batch: int
    """Rows a batch, except for an epoch's last."""
    per_epoch: int
    """Steps an epoch."""
    steps: int
    """Steps altogether."""
    rows: int
    """Rows an epoch."""
    accumulate: int = 1
    """Batches a step, except for an epoch's last."""

    @property
    def step_rows(self) -> int:
        """Rows a step, except for an epoch's last."""
        return self.batch * self.accumulate

    def batches(self, step: int) -> list[range]:
        """The places, in the order of the rows, of each batch of a step of an epoch, by its number there."""
        stop = min((step + 1) * self.step_rows, self.rows)
        return [range(first, min(first + self.batch, stop)) for first in range(step * self.step_rows, stop, self.batch)]

    @property
    def epochs(self) -> int:
        """Epochs altogether, the last one perhaps cut short."""
        return math.ceil(self.steps / self.per_epoch)

    @classmethod
    def of(cls, settings: TrainSection, rows: int) -> Length:
        """The length of a training on so many rows, at least one."""
        batch = rows if settings.batch_size == "full" else min(settings.batch_size, rows)
        used = rows // batch * batch if settings.drop_last else rows
        per_epoch = math.ceil(used / (batch * settings.accumulate))
        steps = settings.steps or (settings.epochs or EPOCHS) * per_epoch
        return cls(batch, per_epoch, steps, used, settings.accumulate)
