"""What training has come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from dlrun.training.signals import StopRequest


@dataclass(slots=True)
class TrainingState:
    """Where training is; readable at any moment, also after an interruption."""

    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    """Steps done, of all epochs together."""
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: dict[str, torch.Tensor] | None = None
    last_weights: dict[str, torch.Tensor] | None = None
    """The last epoch's, once the best are back in the network."""
    waited: int = 0
    """Epochs since the best."""
    stopped_early: bool = False
    seconds: float = 0.0
    """What the epoch that is under way has taken before this process took over."""
    stop_request: StopRequest = field(default_factory=StopRequest)
    """Whether somebody has asked for an end before the end."""
