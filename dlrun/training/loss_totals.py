"""The losses of an epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from dlrun.errors import RunError
from dlrun.training.state import TrainingState

MOST = 4096
"""Steps whose losses stay on the device before they are read."""


class LossError(RunError):
    """A loss is not finite."""


class LossTotals:
    """The losses of an epoch's steps, which stay on the device until they are read."""

    def __init__(self, state: TrainingState, terms: Sequence[str] = (), penalized: bool = False):
        """`terms` names the losses whose weighted sum is minimised, where they are several."""
        self.unread: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.state = state
        self.terms = tuple(terms)
        self.penalized = penalized
        self.rows = self.steps = 0
        self.totals = [0.0] * (1 + len(terms) + penalized)
        """The sums over rows of the loss and of each term; last, over steps, that of the penalty."""

    def add(self, losses: Sequence[torch.Tensor], rows: int) -> None:
        """Add a step's loss, its terms where there are several, and its penalty where there is one."""
        self.unread += losses
        self.sizes.append(rows)
        if len(self.sizes) == MOST:
            self.read()

    def read(self) -> None:
        """Read the losses from the device, in order, and add them up.

        Raises:
            LossError: a loss is not finite.
        """
        if not self.sizes:
            return
        read = torch.stack(self.unread).tolist()
        width = len(self.totals)
        for step, rows in enumerate(self.sizes):
            values = read[step * width : (step + 1) * width]
            self.steps += 1
            loss = values[0] + (values[-1] if self.penalized else 0.0)
            if not math.isfinite(loss):
                raise LossError(
                    f"the loss became {loss} in epoch {self.state.epoch + 1}, step {self.steps}; "
                    "try a smaller lr, `clip_grad_norm`, or `preprocess: [standardize]`"
                )
            for place, value in enumerate(values):
                self.totals[place] += value * (1 if self.penalized and place == width - 1 else rows)
            self.rows += rows
        self.unread.clear()
        self.sizes.clear()

    def mean(self) -> float:
        """The mean loss over the rows read so far."""
        return self.totals[0] / self.rows if self.rows else math.nan

    def metrics(self) -> dict[str, float]:
        """The means over the rows read: of the loss, of each term where there are several, and of the penalty."""
        metrics = {"train/loss": self.mean()}
        for place, name in enumerate(self.terms, 1):
            metrics[f"train/{name}"] = self.totals[place] / max(1, self.rows)
        if self.penalized:
            metrics["train/penalty"] = self.totals[-1] / max(1, self.steps)
        return metrics

    def as_data(self) -> dict[str, Any]:
        """All that has been added, for a checkpoint."""
        self.read()
        return {"rows": self.rows, "steps": self.steps, "totals": list(self.totals)}

    def load(self, data: dict[str, Any]) -> None:
        """Continue from what `as_data` returned."""
        self.rows, self.steps, self.totals = data["rows"], data["steps"], list(data["totals"])
