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


LONGEST = 2**63
"""No length is greater than this: epochs, steps or seconds."""


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
        return f"{_all_digits(self.count)} {self.unit}"


def _all_digits(count: float) -> str:
    """A number so that the same one is read back: with all its digits, and never as 1e-05."""
    return f"{Decimal(int(count) if count == int(count) else repr(count)):f}"


_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*(epoch|step)s?\s*\Z")


def _read_duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LONGEST:
        return Duration(value, "epochs")
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"a duration is written `3 epochs` or `500 steps`; received {shorten(value)}")
    count = float(match[1])
    if match[2] == "step" and count != int(count):
        raise ValueError(f"a number of steps must be whole; received {shorten(value)}")
    if count > LONGEST:
        raise ValueError(f"this duration is too long; received {shorten(value)}")
    return Duration(_exact(match[1]), "epochs" if match[2] == "epoch" else "steps")


def _exact(text: str) -> float:
    """A number that is not too large; whole ones are not rounded."""
    whole, _, rest = text.partition(".")
    return float(text) if rest.strip("0") else int(whole)


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
            # The largest unit of which there is a whole number; seconds otherwise, which are read back as they are.
            unit = next(unit for unit, size in _SECONDS.items() if self.seconds % size == 0 or size == 1)
            count = self.seconds / _SECONDS[unit]
        elif self.epochs is not None:
            count, unit = self.epochs, "epoch"
        else:
            count, unit = self.steps or 0, "step"
        return f"{_all_digits(count)} {unit}{'s' * (count != 1)}"


_INTERVAL = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(epoch|step|second|minute|hour)s?\s*\Z")
_SECONDS = {"hour": 3600, "minute": 60, "second": 1}


def _read_interval(value: Any) -> Interval:
    if isinstance(value, Interval):
        return value
    match = _INTERVAL.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"an interval is written `1 epoch`, `500 steps` or `10 minutes`; received {shorten(value)}")
    count, unit = float(match[1]), match[2]
    if not count:
        raise ValueError(f"an interval must be greater than 0; received {shorten(value)}")
    if count * _SECONDS.get(unit, 1) > LONGEST:
        raise ValueError(f"this interval is too long; received {shorten(value)}")
    if unit in _SECONDS:
        return Interval(seconds=count * _SECONDS[unit])
    if count != int(count):
        raise ValueError(f"a number of {unit}s must be whole; received {shorten(value)}")
    return Interval(epochs=int(_exact(match[1]))) if unit == "epoch" else Interval(steps=int(_exact(match[1])))


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
