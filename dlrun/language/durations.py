"""Lengths of training, and how often something is done: settings such as `3 epochs` and `10 minutes`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from dlrun.language.component import checked
from dlrun.language.suggestions import shorten

Unit = Literal["epochs", "steps"]


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of training, in epochs or in steps."""

    count: float
    unit: Unit

    def in_epochs(self, steps_per_epoch: int) -> float:
        """The length in epochs."""
        return self.count if self.unit == "epochs" else self.count / steps_per_epoch

    def in_steps(self, steps_per_epoch: int) -> int:
        """The length in steps, rounded to the nearest."""
        return round(self.count * steps_per_epoch) if self.unit == "epochs" else round(self.count)

    def __str__(self) -> str:
        whole = self.count == int(self.count)
        # All digits, and never 1e-05, so that the same number is read back.
        return f"{Decimal(int(self.count) if whole else repr(self.count)):f} {self.unit}"


_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*(epoch|step)s?\s*\Z")


def _read_duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63:
        return Duration(value, "epochs")
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"a duration is written `3 epochs` or `500 steps`; received {shorten(value)}")
    count = float(match[1])
    if match[2] == "step" and count != int(count):
        raise ValueError(f"a number of steps must be whole; received {shorten(value)}")
    if count > 2**63:
        raise ValueError(f"this duration is too long; received {shorten(value)}")
    return Duration(int(count) if count == int(count) else count, "epochs" if match[2] == "epoch" else "steps")


def _read_positive_duration(value: Any) -> Duration:
    duration = _read_duration(value)
    if duration.count <= 0:
        raise ValueError(f"a duration must be greater than 0; received {shorten(value)}")
    return duration


def _duration_schema(bound: dict[str, float]) -> WithJsonSchema:
    pattern = r"^\s*[0-9]+(\.[0-9]*)?\s*(epoch|step)s?\s*$"
    text = {"type": "string", "pattern": pattern, "examples": ["3 epochs", "500 steps"]}
    return WithJsonSchema({"anyOf": [{"type": "number", **bound}, text]})


DurationField = Annotated[Duration, PlainValidator(checked(_read_duration)), _duration_schema({"minimum": 0})]
"""``3 epochs``, ``500 steps``; a number alone counts epochs."""
PositiveDuration = Annotated[
    Duration, PlainValidator(checked(_read_positive_duration)), _duration_schema({"exclusiveMinimum": 0})
]
"""A duration above 0."""


@dataclass(frozen=True, slots=True)
class Interval:
    """How often something is done: one of the three is set, the others are None."""

    epochs: int | None = None
    steps: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        if self.seconds is not None:
            minutes = self.seconds / 60
            return f"{minutes:g} minute{'s' * (minutes != 1)}"
        count, unit = (self.epochs, "epoch") if self.epochs is not None else (self.steps, "step")
        return f"{count} {unit}{'s' * (count != 1)}"


_INTERVAL = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(epoch|step|second|minute|hour)s?\s*\Z")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def _read_interval(value: Any) -> Interval:
    if isinstance(value, Interval):
        return value
    match = _INTERVAL.match(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None:
        raise ValueError(f"an interval is written `1 epoch`, `500 steps` or `10 minutes`; received {shorten(value)}")
    count, unit = float(match[1]), match[2]
    if not count:
        raise ValueError(f"an interval must be greater than 0; received {shorten(value)}")
    if unit in _SECONDS:
        return Interval(seconds=count * _SECONDS[unit])
    if count != int(count):
        raise ValueError(f"a number of {unit}s must be whole; received {shorten(value)}")
    return Interval(epochs=int(count)) if unit == "epoch" else Interval(steps=int(count))


IntervalField = Annotated[
    Interval,
    PlainValidator(checked(_read_interval)),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(epoch|step|second|minute|hour)s?\s*$",
            "examples": ["10 minutes", "500 steps"],
        }
    ),
]
"""``1 epoch``, ``500 steps``, ``10 minutes``."""
