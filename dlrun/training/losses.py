"""Where training is, and the losses on the way there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from dlrun.errors import RunError
from dlrun.training.ending import Ending

BUFFER = 4096
"""Losses kept on the device before they are read."""


@dataclass(slots=True)
class State:
    """What training has come to; readable at any moment, also after an interruption."""

    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: dict[str, torch.Tensor] | None = None
    last_weights: dict[str, torch.Tensor] | None = None
    """The last epoch's, once the best are back in the network."""
    stopped_early: bool = False
    ending: Ending = field(default_factory=Ending)
    """Whether somebody has asked for an end before the end."""


class Losses:
    """The losses of an epoch's steps, gathered on the device."""

    def __init__(self, steps: int, state: State, device: torch.device):
        size = min(steps, BUFFER)
        self.buffer = torch.zeros(size, 2, device=device)
        self.sizes: list[int] = []
        self.state = state
        self.total = self.penalties = 0.0
        self.rows = self.steps = 0
        self.penalized = False

    def add(self, loss: torch.Tensor, penalty: torch.Tensor | None, rows: int) -> None:
        """Note a step's loss; read all when the buffer is full."""
        row = self.buffer[len(self.sizes)]
        row[0] = loss
        if penalty is not None:
            row[1] = penalty
            self.penalized = True
        self.sizes.append(rows)
        if len(self.sizes) == len(self.buffer):
            self.read()

    def read(self) -> None:
        """Bring what is noted to the host, in order.

        Raises:
            RunError: a loss is not finite.
        """
        if not self.sizes:
            return
        for (loss, penalty), rows in zip(self.buffer[: len(self.sizes)].tolist(), self.sizes, strict=True):
            self.steps += 1
            if not math.isfinite(loss + penalty):
                raise RunError(
                    f"the loss became {loss + penalty} in epoch {self.state.epoch + 1}, step {self.steps}; "
                    "try a smaller lr, `clip_grad_norm`, or `preprocess: [standardize]`"
                )
            self.total += loss * rows
            self.penalties += penalty
            self.rows += rows
        self.sizes.clear()

    def mean(self) -> float:
        """The mean loss over the rows read so far."""
        return self.total / self.rows if self.rows else math.nan

    def penalty(self) -> dict[str, float]:
        """The mean penalty over the steps read, where there are penalties."""
        return {"train/penalty": self.penalties / max(1, self.steps)} if self.penalized else {}
