"""Settings that are a range of random values: [low, high], or one number that means such a range."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dlrun.language.component import checked
from dlrun.language.suggestions import shorten

Range = tuple[float, float]

LARGEST = sys.float_info.max
"""A larger whole number has no float."""


def _reader(
    what: str, is_valid: Callable[[float], bool], from_one: Callable[[float], Range] | None
) -> Callable[[Any], Range]:
    def read(value: Any) -> Range:
        entries: Any = ()
        if isinstance(value, tuple | list):
            entries = value
        elif from_one is not None and is_number(value) and value >= 0:
            entries = from_one(value)
        if len(entries) != 2 or not all(is_number(entry) and is_valid(entry) for entry in entries):
            raise ValueError(f"{what} is expected; received {shorten(value)}")
        low, high = map(float, entries)
        if low > high:
            raise ValueError(f"a range begins with its lower number; received {shorten(value)}")
        return low, high

    return read


def is_number(value: Any) -> bool:
    """Whether a value is a number that a float holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _schema(from_one: dict[str, float] | None, **bounds: float) -> WithJsonSchema:
    pair = {"type": "array", "items": {"type": "number", **bounds}, "minItems": 2, "maxItems": 2}
    return WithJsonSchema(pair if from_one is None else {"anyOf": [{"type": "number", **from_one}, pair]})


_share = _reader("a list of two shares above 0 up to 1, [low, high],", lambda entry: 0 < entry <= 1, None)
_ratio = _reader("a list of two numbers above 0, [low, high],", lambda entry: entry > 0, None)
_angle = _reader(
    "a number of degrees from 0 to 360, or [low, high],", lambda entry: abs(entry) <= 360, lambda most: (-most, most)
)
_factor = _reader(
    "a number from 0 on, or two of them, [low, high],", lambda entry: entry >= 0, lambda by: (max(0.0, 1 - by), 1 + by)
)

_spread = _reader("a number above 0, or two of them, [low, high],", lambda entry: entry > 0, lambda by: (by, by))
_hue = _reader(
    "a number from 0 to 0.5, or two from -0.5 to 0.5, [low, high],",
    lambda entry: abs(entry) <= 0.5,
    lambda most: (-most, most),
)


def _read_shifts(value: Any) -> Range:
    entries = (value, value) if is_number(value) else value
    listed = isinstance(entries, tuple | list) and len(entries) == 2
    if not listed or not all(is_number(entry) and 0 <= entry <= 1 for entry in entries):
        raise ValueError(f"a share from 0 to 1, or [horizontal, vertical], is expected; received {shorten(value)}")
    return float(entries[0]), float(entries[1])


def _read_shears(value: Any) -> tuple[float, float, float, float]:
    entries = (-value, value) if is_number(value) and value >= 0 else value
    listed = isinstance(entries, tuple | list) and len(entries) in (2, 4)
    if not listed or not all(is_number(entry) and abs(entry) < 90 for entry in entries):
        what = "a number of degrees below 90, [low, high], or [low, high, low, high] along x and y,"
        raise ValueError(f"{what} is expected; received {shorten(value)}")
    low, high, y_low, y_high = map(float, (*entries, 0, 0) if len(entries) == 2 else entries)
    if low > high or y_low > y_high:
        raise ValueError(f"a range begins with its lower number; received {shorten(value)}")
    return low, high, y_low, y_high


Shares = Annotated[Range, PlainValidator(checked(_share)), _schema(None, exclusiveMinimum=0, maximum=1)]
"""Shares of a whole."""
Ratios = Annotated[Range, PlainValidator(checked(_ratio)), _schema(None, exclusiveMinimum=0)]
"""Ratios of two lengths."""
Angles = Annotated[
    Range, PlainValidator(checked(_angle)), _schema({"minimum": 0, "maximum": 360}, minimum=-360, maximum=360)
]
"""Degrees; one number is the maximum in both directions."""
Factors = Annotated[Range, PlainValidator(checked(_factor)), _schema({"minimum": 0}, minimum=0)]
"""Factors; one number is the largest distance from 1 in both directions, but never below 0."""
Spreads = Annotated[Range, PlainValidator(checked(_spread)), _schema({"exclusiveMinimum": 0}, exclusiveMinimum=0)]
"""Standard deviations; one number is always that one."""
Hues = Annotated[
    Range, PlainValidator(checked(_hue)), _schema({"minimum": 0, "maximum": 0.5}, minimum=-0.5, maximum=0.5)
]
"""Shares of a turn around the circle of colours; one number is the maximum in both directions."""
Shifts = Annotated[
    Range, PlainValidator(checked(_read_shifts)), _schema({"minimum": 0, "maximum": 1}, minimum=0, maximum=1)
]
"""The largest shares of the width and of the height; one number is both."""
_angle_number = {"type": "number", "exclusiveMinimum": -90, "exclusiveMaximum": 90}
Shears = Annotated[
    tuple[float, float, float, float],
    PlainValidator(checked(_read_shears)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "exclusiveMaximum": 90},
                {"type": "array", "items": _angle_number, "minItems": 2, "maxItems": 2},
                {"type": "array", "items": _angle_number, "minItems": 4, "maxItems": 4},
            ]
        }
    ),
]
"""Degrees along x and y, [low, high, low, high]; one number is the maximum in both directions along x."""
