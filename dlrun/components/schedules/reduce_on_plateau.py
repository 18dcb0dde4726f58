from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dlrun.components.schedules import FollowingSchedule, ScheduleState
from dlrun.language.fields import Count, NonNegative


class ReduceOnPlateau(FollowingSchedule):
    """Lower the learning rate when a metric of the validation rows has stopped improving.

    Shape: lr * factor**(the number of plateaus so far), at least min_lr; after each epoch
    Reference: torch.optim.lr_scheduler.ReduceLROnPlateau.
    Example: reduce_on_plateau: {factor: 0.5, patience: 3}
    """

    synonyms = ("reduce_lr_on_plateau", "on_plateau", "plateau")

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The factor on the rate at each plateau."""
    patience: Count = 10
    """How many epochs in a row may pass without improvement; the rate falls after the next one."""
    threshold: NonNegative = 1e-4
    """Only a change larger than this counts as an improvement."""
    threshold_mode: Literal["rel", "abs"] = "rel"
    """The threshold is a share of the best value, or a difference from it."""
    cooldown: Count = 0
    """How many epochs after a plateau do not count."""
    min_lr: NonNegative = 0.0
    """The least rate."""
    eps: NonNegative = 1e-8
    """A change of the rate that is not larger than this is left out."""

    @model_validator(mode="after")
    def _threshold_can_be_passed(self) -> Self:
        if self.threshold_mode == "rel" and self.threshold >= 1:
            raise ValueError("with threshold_mode rel, threshold is a share below 1 of the best value")
        return self

    def begin(self) -> ScheduleState:
        return {"rate": 1.0, "best": math.nan, "waited": 0, "cooling": 0}

    def after_epoch(self, state: ScheduleState, lr: float, value: float, rising: bool) -> ScheduleState:
        rate, best, waited, cooling = (state[name] for name in ("rate", "best", "waited", "cooling"))
        better = self._is_better(value, best, rising) or (math.isnan(best) and not math.isnan(value))
        best, waited = (value, 0) if better else (best, waited + 1)
        if cooling > 0:
            cooling, waited = cooling - 1, 0
        if waited > self.patience:
            lower = max(rate * self.factor, self.min_lr / lr)
            rate = lower if (rate - lower) * abs(lr) > self.eps else rate
            cooling, waited = self.cooldown, 0
        return {"rate": rate, "best": best, "waited": waited, "cooling": cooling}

    def _is_better(self, value: float, best: float, rising: bool) -> bool:
        change = self.threshold * best if self.threshold_mode == "rel" else self.threshold
        return value > best + change if rising else value < best - change
