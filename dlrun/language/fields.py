"""Types of settings that several components share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from dlrun.language.component import checked
from dlrun.language.suggestions import shorten

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Sizes = int | tuple[int, ...]
"""A whole number for each axis, or one number for all. The types below set how many axes and how small a number; they
give one number for each axis, and for one axis a plain number; a list of one number may stand there, as in torch."""


def _reader(axes: int, least: int) -> Callable[[Any], Sizes]:
    what = "positive whole number" if least == 1 else "whole number, 0 or more"

    def read(value: Any) -> Sizes:
        entries = (value,) * axes if _is_whole(value) else value
        listed = isinstance(entries, tuple | list) and len(entries) == axes and all(map(_is_whole, entries))
        if not listed:
            choice = f"a {what}, or a list of {axes} of them," if axes > 1 else f"a {what}"
            raise ValueError(f"{choice} is expected; received {shorten(value)}")
        if min(entries) < least:
            raise ValueError(f"a {what} is expected; received {shorten(value)}")
        return tuple(entries) if axes > 1 else entries[0]

    return read


def _schema(axes: int, least: int) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "integer", "minimum": least}
    several = {"type": "array", "items": number, "minItems": axes, "maxItems": axes}
    return {"anyOf": [number, several]}


def _sizes(axes: int, least: int) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(checked(_reader(axes, least))), WithJsonSchema(_schema(axes, least))


def _padding(axes: int, *words: str) -> tuple[PlainValidator, WithJsonSchema]:
    counts = _reader(axes, 0)
    several = {1: "", 2: "two of them, ", 3: "three of them, "}[axes]
    named = ", ".join(f"'{word}'" for word in words[:-1]) + f" or '{words[-1]}'"

    def read(value: Any) -> Sizes | str:
        try:
            return value if isinstance(value, str) and value in words else counts(value)
        except ValueError:
            what = f"a padding is a whole number from 0 on, {several}{named}"
            raise ValueError(f"{what}; received {shorten(value)}") from None

    return PlainValidator(checked(read)), WithJsonSchema({"anyOf": [_schema(axes, 0), {"enum": list(words)}]})


Sizes1d = Annotated[Sizes, *_sizes(1, 1)]
"""A length."""
Sizes2d = Annotated[Sizes, *_sizes(2, 1)]
"""(height, width), or one number for both."""
Sizes3d = Annotated[Sizes, *_sizes(3, 1)]
"""(depth, height, width), or one number for all."""
Counts1d = Annotated[Sizes, *_sizes(1, 0)]
"""A length from 0 on."""
Counts2d = Annotated[Sizes, *_sizes(2, 0)]
"""(height, width) from 0 on, or one number for both."""
Counts3d = Annotated[Sizes, *_sizes(3, 0)]
"""(depth, height, width) from 0 on, or one number for all."""
Padding1d = Annotated[Sizes | str, *_padding(1, "same", "valid", "full")]
"""Counts on each side, or a convolution's `same`, `valid` or `full`."""
Padding2d = Annotated[Sizes | str, *_padding(2, "same", "valid", "full")]
Padding3d = Annotated[Sizes | str, *_padding(3, "same", "valid", "full")]
PoolPadding1d = Annotated[Sizes | str, *_padding(1, "same", "valid")]
"""Counts on each side, or a pooling's `same` or `valid`."""
PoolPadding2d = Annotated[Sizes | str, *_padding(2, "same", "valid")]
PoolPadding3d = Annotated[Sizes | str, *_padding(3, "same", "valid")]

Sides = tuple[tuple[int, int], ...]


def _read_sides(value: Any) -> Sizes | Sides:
    if _is_whole(value) and value >= 0:
        return value
    if isinstance(value, tuple | list) and 1 <= len(value) <= 3:
        entries = tuple(_read_side(entry) for entry in value)
        sides = tuple(entry for entry in entries if entry is not None)
        if len(sides) == len(entries):
            return sides
    what = "a whole number from 0 on is expected, or a list with a number or [before, after] for each axis"
    raise ValueError(f"{what}; received {shorten(value)}")


def _read_side(entry: Any) -> tuple[int, int] | None:
    pair = (entry, entry) if _is_whole(entry) else entry
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(map(_is_whole, pair)) or min(pair) < 0:
        return None
    return (pair[0], pair[1])


_side_number: dict[str, Any] = {"type": "integer", "minimum": 0}
_side = {"anyOf": [_side_number, {"type": "array", "items": _side_number, "minItems": 2, "maxItems": 2}]}

SidesField = Annotated[
    int | Sides,
    PlainValidator(checked(_read_sides)),
    WithJsonSchema({"anyOf": [_side_number, {"type": "array", "items": _side, "minItems": 1, "maxItems": 3}]}),
]
"""How many at the beginning and at the end of each axis after the first; one number is for all of them."""


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

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]*$"
LONGEST = 60
"""Characters of an input's name."""


def _read_name_or_number(value: Any) -> str | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value in ("", math.inf, -math.inf):
        raise ValueError(f"a name or a number is expected; received {shorten(value)}")
    if value != value:
        raise ValueError(f"a number is finite; received {shorten(value)}")
    return value if isinstance(value, str) else float(value)


NameOrNumber = Annotated[
    str | float,
    PlainValidator(checked(_read_name_or_number)),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "number"}]}),
]
"""The name of something, or a number."""


def _read_identifier(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not re.fullmatch(IDENTIFIER, value):
        what = f"at most {LONGEST} letters, digits and _, and does not begin with a digit"
        raise ValueError(f"a name is {what}; received {shorten(value)}")
    return value


def _read_names_by_name(value: Any) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        return _read_names(value)
    for name in value:
        _read_identifier(name)
    if not value:
        what = "a name, a list of names, or a mapping from names to these is expected"
        raise ValueError(f"{what}; received {shorten(value)}")
    return {name: _read_names(entry) for name, entry in value.items()}


_names: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

NamesByName = Annotated[
    tuple[str, ...] | dict[str, tuple[str, ...]],
    PlainValidator(checked(_read_names_by_name)),
    WithJsonSchema(
        {"anyOf": [*_names["anyOf"], {"type": "object", "patternProperties": {IDENTIFIER: _names}, "minProperties": 1}]}
    ),
]
"""One name or several; or these for each of several inputs or outputs, by its name."""

Identifier = Annotated[
    str,
    PlainValidator(checked(_read_identifier)),
    WithJsonSchema({"type": "string", "pattern": IDENTIFIER, "maxLength": LONGEST}),
]
"""A name that an input may have."""


def _read_batch_size(value: Any) -> int | str:
    if value != "full" and (not _is_whole(value) or value < 1):
        raise ValueError(f"a batch size is a positive whole number, or `full`; received {shorten(value)}")
    return value


BatchSize = Annotated[
    int | Literal["full"],
    PlainValidator(checked(_read_batch_size)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["full"]}]}),
]

OutputForm = Literal["probabilities", "distribution", "log_probabilities", "log_distribution", ""]
"""The form of a network's outputs, for the losses and metrics that depend on it; '' where it is unknown."""
