"""When a checkpoint is written: at an interval of steps, epochs or time, and when a signal stops the run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from dlrun.language.durations import Interval
from dlrun.network.preprocessing import as_tensors
from dlrun.plan.weights import expected
from dlrun.runs.checkpoints import Checkpoint, Checkpoints
from dlrun.runs.journal import Journal
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.training.lifecycle.snapshot import restore, snapshot
from dlrun.training.loop import Training

FITTED = "fitted"
"""The name of the fitted preprocessing among a checkpoint's tensors."""


class CheckpointPolicy:
    """Writes the checkpoints of a run."""

    def __init__(self, folder: Path, setup: TrainingSetup, journal: Journal, about: dict[str, Any]):
        """`about` identifies the run; it is compared when the run is resumed."""
        self.setup, self.journal, self.about = setup, journal, about
        self.every: Interval = setup.task.settings.checkpoint.every
        self.checkpoints = Checkpoints(folder, setup.task.settings.checkpoint.keep)
        self.at: tuple[int, int] | None = None
        """The step and epoch of the last checkpoint."""
        self.time = time.monotonic()

    def after_step(self, training: Training) -> None:
        """Write a checkpoint if one is due; after a signal, write one and stop.

        Raises:
            KeyboardInterrupt, Terminated: a signal has come.
            RunError: it cannot be written.
        """
        stop_request = training.state.stop_request
        if stop_request.number is not None or self._is_due(self.every.steps, training.state.step):
            self.write(training)
        stop_request.check()

    def after_epoch(self, training: Training) -> None:
        """The same between two epochs."""
        stop_request = training.state.stop_request
        if stop_request.number is not None or self._is_due(self.every.epochs, training.state.epoch):
            self.write(training)
        stop_request.check()

    def _is_due(self, every: int | None, count: int) -> bool:
        if every is not None:
            return count % every == 0
        return self.every.seconds is not None and time.monotonic() - self.time >= self.every.seconds

    def write(self, training: Training) -> None:
        """Write a checkpoint, unless there is one of this step and epoch.

        Raises:
            RunError: it cannot be written, or a loss is not finite.
        """
        state = training.state
        at = (state.step, state.epoch)
        if self.at == at:
            return
        tensors, data = snapshot(training, expected(self.setup.plan))
        if self.setup.fitted:
            tensors[FITTED] = as_tensors(self.setup.fitted)
        data |= self.about | {
            "steps": training.length.steps,
            "fingerprint": fingerprint(self.setup.device),
            "journal": self.journal.sync(),
        }
        between = state.step <= state.epoch * training.length.per_epoch
        self.checkpoints.write(state.step, tensors, data, best=between and state.best_epoch == state.epoch > 0)
        self.at, self.time = at, time.monotonic()

    def restore(self, training: Training, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint."""
        restore(training, checkpoint)
        self.at = (training.state.step, training.state.epoch)


def fingerprint(device: torch.device) -> dict[str, str]:
    """What the exact bits of a result depend on besides the spec and the data."""
    return {
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
    }
