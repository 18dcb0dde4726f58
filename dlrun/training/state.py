"""The progress of training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from dlrun.components.schedules import ScheduleState
from dlrun.training.averaging import AveragedWeights
from dlrun.training.signals import StopRequest


@dataclass(slots=True)
class TrainingState:
    """The progress of training; readable at any moment, also after an interruption."""

    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    """Steps done, of all epochs together."""
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: dict[str, torch.Tensor] | None = None
    last_weights: dict[str, torch.Tensor] | None = None
    """Those of the last epoch, once the best are back in the network."""
    average: AveragedWeights | None = None
    """The average of the weights; None where a training has none."""
    waited: int = 0
    """Epochs since the best one that count for early stopping."""
    stopped_early: bool = False
    schedules: list[ScheduleState] = field(default_factory=list)
    """What the schedule of each number that changes keeps from epoch to epoch."""
    unfrozen: bool = False
    """Whether the weights that were frozen at first have begun to move."""
    seconds: float = 0.0
    """Seconds that the current epoch took before the run was resumed."""
    stop_request: StopRequest = field(default_factory=StopRequest)
    """Whether a signal has asked the run to stop."""
