from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from dlrun.components.schedules import Schedule, in_whole_steps
from dlrun.components.schedules._curves import between
from dlrun.language.durations import Duration, PositiveDuration
from dlrun.language.fields import NonNegative


class Cyclic(Schedule):
    """Let the learning rate rise and fall again and again, in straight lines, from the least rate to the optimizer's.

    Shape: base_lr + (lr - base_lr) * h * s; h rises from 0 to 1 over step_size_up and falls over step_size_down;
        s = 1 (triangular), 1/2**(cycle - 1) (triangular2) or gamma**step (exp_range)
    Reference: Smith, Cyclical learning rates for training neural networks, 2017.
    Example: cyclic: {base_lr: 1e-4, step_size_up: 2 epochs}
    """

    synonyms = ("cyclic_lr", "cyclical", "triangular")

    base_lr: NonNegative
    """The least rate, with which each cycle begins; the optimizer's `lr` is the largest one."""
    step_size_up: PositiveDuration = Duration(2000, "steps")
    """How long it rises."""
    step_size_down: PositiveDuration | None = None
    """How long it falls; as long as it rises unless given."""
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    """The largest rate of the cycles: the same in all, half as far from the least one in each, or nearer to it by
    `gamma` at each step."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The factor at each step in the mode `exp_range`."""

    def relative_rate(self, lr: float, epoch: float, epochs: float, steps_per_epoch: int) -> float:
        step = in_whole_steps(epoch, steps_per_epoch)
        rise = max(1, self.step_size_up.in_steps(steps_per_epoch))
        fall = max(1, self.step_size_down.in_steps(steps_per_epoch)) if self.step_size_down else rise
        cycles, within = divmod(step, rise + fall)
        height = within / rise if within <= rise else (rise + fall - within) / fall
        scale = {"triangular": 1.0, "triangular2": math.ldexp(1.0, -cycles), "exp_range": self.gamma**step}[self.mode]
        return between(1.0, self.base_lr / lr, height * scale)
