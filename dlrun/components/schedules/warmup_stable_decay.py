from __future__ import annotations

import math
from typing import Literal

from dlrun.components.schedules import Schedule
from dlrun.components.schedules._curves import between, cosine
from dlrun.language.durations import PositiveDuration
from dlrun.language.fields import NonNegative


class WarmupStableDecay(Schedule):
    """Keep the learning rate, and let it fall at the end of training alone.

    Shape: lr until `decay` before the end, then eta_min + (lr - eta_min) * s; with p from 0 to 1 over the decay,
        s = 1 - p (linear), (1 + cos(pi*p))/2 (cos) or 1 - sqrt(p) (sqrt)
    Reference: Hu and others, MiniCPM: unveiling the potential of small language models, 2024; sqrt: Hägele and others,
        Scaling laws and compute-optimal training beyond fixed training durations, 2024.
    Example: warmup_stable_decay: {warmup: 1 epoch, decay: 2 epochs}
    """

    synonyms = ("wsd", "trapezoidal")

    decay: PositiveDuration
    """How long it falls."""
    anneal_strategy: Literal["linear", "cos", "sqrt"] = "linear"
    """In a straight line, along half a cosine, or as one minus the root of the time."""
    eta_min: NonNegative = 0.0
    """The learning rate at the end."""

    def needed_steps(self, steps_per_epoch: int) -> int:
        return super().needed_steps(steps_per_epoch) + self.decay.in_steps(steps_per_epoch)

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        length = self.decay.in_epochs(steps_per_epoch)
        progress = min(1.0, max(0.0, (epoch - (epochs - length)) / length))
        falling = {"linear": 1 - progress, "cos": cosine(progress), "sqrt": 1 - math.sqrt(progress)}
        return between(1.0, self.eta_min / lr, falling[self.anneal_strategy])
