"""The losses of an epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from dlrun.errors import RunError
from dlrun.training.objective import Objective
from dlrun.training.state import TrainingState

MOST = 4096
"""Batches whose losses stay on the device before they are read."""


class LossError(RunError):
    """A loss is not finite."""


class LossTotals:
    """The losses of an epoch's batches, which stay on the device until they are read."""

    def __init__(self, state: TrainingState, objective: Objective, penalized: bool = False):
        """`penalized`: whether each batch has a penalty too."""
        self.unread: list[torch.Tensor] = []
        self.sizes: list[int] = []
        self.of_steps: list[float] = []
        """The share that each batch has of its step."""
        self.state, self.objective, self.penalized = state, objective, penalized
        self.rows, self.steps = 0, 0.0
        self.totals = [0.0] * len(objective.summed([0.0] * objective.width, 0))
        """The sums of what `Objective.summed` gives of each batch."""
        self.penalty = 0.0
        """The sum over the steps, of the mean over the rows of each."""

    def add(self, losses: Sequence[torch.Tensor], rows: int, share: float = 1.0) -> None:
        """Add what the objective returns for a batch, and its penalty where there is one.

        Args:
            losses: what it returns, and the penalty.
            rows: of the batch.
            share: the batch's share of the rows of its step.
        """
        self.unread += losses
        self.sizes.append(rows)
        self.of_steps.append(share)
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
        width = self.objective.width + self.penalized
        for batch, (rows, share) in enumerate(zip(self.sizes, self.of_steps, strict=True)):
            values = read[batch * width : (batch + 1) * width]
            self.steps += share
            loss = values[0] + (values[-1] if self.penalized else 0.0)
            if not math.isfinite(loss):
                raise LossError(
                    f"the loss became {loss} in epoch {self.state.epoch + 1}, step {math.ceil(round(self.steps, 6))}; "
                    "try a smaller lr, `clip_grad_norm`, or `preprocess: [standardize]`"
                )
            if self.objective.uneven:
                for place, part in enumerate(self.objective.summed(values, rows)):
                    self.totals[place] += part
            else:  # without a call, as small networks have many steps
                for place in range(len(self.totals)):
                    self.totals[place] += values[place] * rows
            self.penalty += values[-1] * share if self.penalized else 0.0
            self.rows += rows
        self.unread.clear()
        self.sizes.clear()
        self.of_steps.clear()

    def mean(self) -> float:
        """The mean loss over what was read so far."""
        return self._means()[0]

    def metrics(self) -> dict[str, float]:
        """The means over what was read: of the loss, of each term where there are several, and of the penalty."""
        names = ("loss", *self.objective.names)
        metrics = {f"train/{name}": mean for name, mean in zip(names, self._means(), strict=True)}
        if self.penalized:
            metrics["train/penalty"] = self.penalty / max(1.0, self.steps)
        return metrics

    def as_data(self) -> dict[str, Any]:
        """All that has been added, for a checkpoint."""
        self.read()
        return {"rows": self.rows, "steps": self.steps, "penalty": self.penalty, "totals": list(self.totals)}

    def load(self, data: dict[str, Any]) -> None:
        """Continue from what `as_data` returned."""
        self.rows, self.steps, self.penalty = data["rows"], data["steps"], data["penalty"]
        self.totals = list(data["totals"])

    def _means(self) -> list[float]:
        if not self.rows:
            return [math.nan] * (1 + len(self.objective.names))
        return self.objective.means(self.totals, self.rows)
