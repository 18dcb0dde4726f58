"""Which weights are best, and when to stop early."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from dlrun.language.experiment import TrainSection
from dlrun.plan.length import Length
from dlrun.plan.metrics import Watched
from dlrun.plan.monitor import monitor
from dlrun.training.state import TrainingState


class BestWeights:
    """Watches one metric: see `monitor`."""

    def __init__(self, train: TrainSection, watched: Sequence[Watched], validated: bool, length: Length):
        self.stopping = stopping = train.early_stopping
        self.start = 0 if stopping is None else stopping.start_after.in_steps(length.per_epoch)
        """Steps of the time that does not count."""
        self.monitor = monitor(train, watched, validated)

    def update(self, metrics: dict[str, float], network: nn.Module, state: TrainingState) -> None:
        """Copy the weights if they are the best so far."""
        value = metrics.get(self.monitor.name, math.nan)
        if not math.isfinite(value):  # it says nothing of these weights, so it neither improves nor ends the training
            return
        if self.monitor.is_better(value, state.best_value):
            state.best_value, state.best_epoch, state.waited = value, state.epoch, 0
            state.best_weights = {name: weight.clone() for name, weight in network.state_dict().items()}
        elif state.step > self.start:
            state.waited += 1

    def should_stop(self, state: TrainingState) -> bool:
        """Whether to stop early."""
        return self.stopping is not None and state.waited >= self.stopping.patience
