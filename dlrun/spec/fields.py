"""Types of settings that several components share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from dlrun.spec.component import checked
from dlrun.spec.words import shorten

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _sizes(axes: int, least: int) -> Any:
    what = "positive whole number" if least == 1 else "whole number, 0 or more"

    def read(value: Any) -> tuple[int, ...]:
        entries = (value,) * axes if _is_whole(value) else value
        if not isinstance(entries, tuple | list) or len(entries) != axes or not all(map(_is_whole, entries)):
            raise ValueError(f"a {what}, or a list of {axes} of them, is expected; received {shorten(value)}")
        if min(entries) < least:
            raise ValueError(f"a {what} is expected; received {shorten(value)}")
        return tuple(entries)

    number = {"type": "integer", "minimum": least}
    schema = {"anyOf": [number, {"type": "array", "items": number, "minItems": axes, "maxItems": axes}]}
    return PlainValidator(checked(read)), WithJsonSchema(schema)


_positive_pair, _positive_pair_schema = _sizes(2, 1)
_count_pair, _count_pair_schema = _sizes(2, 0)

Pair = Annotated[tuple[int, int], _positive_pair, _positive_pair_schema]
"""(height, width), or one number for both."""
CountPair = Annotated[tuple[int, int], _count_pair, _count_pair_schema]
"""(height, width) from 0 on, or one number for both."""


def _read_padding(value: Any) -> tuple[int, int] | str:
    if value in ("same", "valid"):
        return value
    entries = (value, value) if _is_whole(value) else value
    good = isinstance(entries, tuple | list) and len(entries) == 2 and all(map(_is_whole, entries))
    if not good or min(entries) < 0:
        raise ValueError(
            f"a padding is a whole number from 0 on, two of them, 'same' or 'valid'; received {shorten(value)}"
        )
    return tuple(entries)


Padding2d = Annotated[
    tuple[int, int] | Literal["same", "valid"],
    PlainValidator(checked(_read_padding)),
    WithJsonSchema({"anyOf": [_count_pair_schema.json_schema, {"enum": ["same", "valid"]}]}),
]


def _read_shape(value: Any) -> tuple[int, ...]:
    entries = (value,) if _is_whole(value) else value
    if not isinstance(entries, tuple | list) or not all(map(_is_whole, entries)) or not entries:
        raise ValueError(f"a shape is a list of whole numbers; received {shorten(value)}")
    if min(entries) < 1:
        raise ValueError(f"the sizes of a shape are positive; received {shorten(value)}")
    return tuple(entries)


SampleShape = Annotated[
    tuple[int, ...],
    PlainValidator(checked(_read_shape)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
            ]
        }
    ),
]
"""One sample's shape, without the batch; one number for a row."""


def _read_names(value: Any) -> tuple[str, ...]:
    entries = (value,) if isinstance(value, str) else value
    if not isinstance(entries, tuple | list) or not entries or not all(isinstance(item, str) for item in entries):
        raise ValueError(f"a name or a list of names is expected; received {shorten(value)}")
    return tuple(entries)


Names = Annotated[
    tuple[str, ...],
    PlainValidator(checked(_read_names)),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""One name or several."""


def _read_batch_size(value: Any) -> int | str:
    if value != "full" and (not _is_whole(value) or value < 1):
        raise ValueError(f"a batch size is a positive whole number, or `full`; received {shorten(value)}")
    return value


BatchSize = Annotated[
    int | Literal["full"],
    PlainValidator(checked(_read_batch_size)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["full"]}]}),
]

Unit = Literal["epochs", "steps"]


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of training: so many epochs or steps."""

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
        # Every digit, and never 1e-05, so that it reads back as it was.
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
        raise ValueError(f"steps come whole; received {shorten(value)}")
    if count > 2**63:
        raise ValueError(f"nothing lasts that long; received {shorten(value)}")
    return Duration(int(count) if count == int(count) else count, "epochs" if match[2] == "epoch" else "steps")


def _read_positive_duration(value: Any) -> Duration:
    duration = _read_duration(value)
    if duration.count <= 0:
        raise ValueError(f"a duration above 0 is expected; received {shorten(value)}")
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
