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
        elif from_one is not None and _is_number(value) and value >= 0:
            entries = from_one(value)
        if len(entries) != 2 or not all(_is_number(entry) and is_valid(entry) for entry in entries):
            raise ValueError(f"{what} is expected; received {shorten(value)}")
        low, high = map(float, entries)
        if low > high:
            raise ValueError(f"a range begins with its lower number; received {shorten(value)}")
        return low, high

    return read


def _is_number(value: Any) -> bool:
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
