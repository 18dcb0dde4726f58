"""The learning rate of every step, as far as the spec decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlrun.plan.length import Length


@dataclass(frozen=True, slots=True)
class Curve:
    """A learning rate over the whole training."""

    name: str
    rates: tuple[float, ...]
    """The rate of each step."""


def rate_at(optimizer: Any, schedule: Any, step: int, length: Length) -> float:
    """The learning rate of the step after `step` steps, without what a metric changes."""
    rate = optimizer.lr
    return rate if schedule is None else rate * schedule.at(rate, step, length.steps, length.per_epoch)


def curve(name: str, optimizer: Any, schedule: Any, length: Length) -> Curve:
    """The rates of all steps."""
    return Curve(name, tuple(rate_at(optimizer, schedule, step, length) for step in range(length.steps)))
