"""Hypothesis strategies drawn from any component's own fields, so that a new kind is tested as it is.

Settings are drawn as a spec would write them and read by `choose`, so that what is tested is what a user gets.
Sizes are small, and they need not fit each other: whether they do is what the tests ask.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pydantic import ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo

from dlrun.language.component import OneOf, Settings, choose
from dlrun.language.kinds import find, kinds
from dlrun.shapes import Shape, ShapeError

LARGEST = 12
"""No size, count or number is drawn larger than this, unless its field asks for it."""
TINY = 2.0**-20
"""How near an open end a number is drawn."""
DEEPEST = 2
"""How deep layers are put in layers."""

CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def draws(count: int) -> settings:
    """The settings of a property test: as many examples, the same ones every time."""
    return settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=CHECKS)


def sample_shapes(min_rank: int = 1, max_rank: int = 4, largest: int = LARGEST) -> SearchStrategy[Shape]:
    """The shape of one sample."""
    return st.lists(_sizes(1, largest), min_size=min_rank, max_size=max_rank).map(tuple)


def components(family: str, kind: str, deep: int = 0) -> SearchStrategy[Any]:
    """Components of one kind, with any settings that are right by themselves."""
    return written_components(family, kind, deep).map(lambda value: choose(family, value))


@st.composite
def layers_and_shapes(draw: DrawFn, kind: str, largest: int = LARGEST) -> Any:
    """A layer and a shape that it takes, if one is found among several of every rank."""
    layer = draw(components("layers", kind))
    rank = draw(st.integers(0, 3))
    shapes = []
    for turn in range(8):
        least = 1 if turn < 4 else largest // 2
        sizes = st.tuples(*[st.integers(least, largest)] * (1 + (rank + turn) % 4))
        shapes.append(draw(sizes))
        if takes(layer, shapes[-1]):
            return layer, shapes[-1]
    return layer, shapes[0]


def takes(layer: Any, shape: Shape) -> bool:
    """Whether the layer's own rule accepts a sample of this shape."""
    try:
        layer.output_shape(shape)
    except ShapeError:
        return False
    return True


def settings_of(section: type[Settings]) -> SearchStrategy[Any]:
    """A section of a spec, or a part of one, with any settings that are right by themselves."""

    def read(values: dict[str, Any]) -> Settings | None:
        try:
            return section.read(values)
        except ValidationError:  # settings that exclude each other
            return None

    return _mappings(section, 0).map(read).filter(lambda found: found is not None)


@functools.cache
def written_components(family: str, kind: str, deep: int = 0) -> SearchStrategy[Any]:
    """The same as a spec writes them: ``{kind: {setting: value}}``."""
    written = _mappings(find(family, kind), deep).map(lambda settings: {kind: settings})
    return written.filter(lambda value: _is_right(family, value))


def _is_right(family: str, value: Any) -> bool:
    try:
        choose(family, value)
    except ValidationError:  # settings that exclude each other
        return False
    return True


@functools.cache
def _mappings(cls: type[Settings], deep: int) -> SearchStrategy[dict[str, Any]]:
    """Settings by name. Those with a default are often left out: the more are given, the less they fit."""
    hints = get_type_hints(cls, include_extras=True)
    needed: dict[str, SearchStrategy[Any]] = {}
    free: dict[str, SearchStrategy[Any]] = {}
    for name, field in cls.model_fields.items():
        values = _values(hints[name], (), deep)
        (needed if field.is_required() else free)[field.alias or name] = values
    any_of_them = st.fixed_dictionaries(needed, optional=free)
    if len(free) < 3:
        return any_of_them
    return any_of_them | _with_a_few(needed, free)


@st.composite
def _with_a_few(draw: DrawFn, needed: dict[str, Any], free: dict[str, Any]) -> dict[str, Any]:
    names = [*needed, *draw(st.lists(st.sampled_from(sorted(free)), max_size=3, unique=True))]
    return {name: draw((needed | free)[name]) for name in names}


def _values(annotation: Any, marks: tuple[Any, ...], deep: int) -> SearchStrategy[Any]:
    """Values that a field of this type takes; `marks` are what `Annotated` and `Field` say besides."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *extras = arguments
        return _values(inner, (*marks, *_flat(extras)), deep)
    family = next((mark.family for mark in marks if isinstance(mark, OneOf)), None)
    if family is not None:
        return _any_kind(family, deep)
    schema = next((mark.json_schema for mark in marks if isinstance(mark, WithJsonSchema)), None)
    if schema is not None:
        return _from_schema(schema, deep)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(argument, marks, deep) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is dict:
        names, values = (_values(argument, (), deep) for argument in arguments)
        return st.dictionaries(names, values, min_size=1, max_size=3)
    if origin is tuple:
        return _tuples(arguments, marks, deep)
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return _mappings(annotation, deep)
    return _PLAIN[annotation](marks)


def _flat(extras: list[Any]) -> list[Any]:
    """`Field(...)` inside `Annotated` holds its marks in a list of its own."""
    flat: list[Any] = []
    for extra in extras:
        flat += [extra, *extra.metadata] if isinstance(extra, FieldInfo) else [extra]
    return flat


@functools.cache
def _any_kind(family: str, deep: int) -> SearchStrategy[Any]:
    if family != "layers":
        return st.sampled_from(kinds(family)).flatmap(lambda kind: written_components(family, kind))
    leaves = [kind for kind in kinds(family) if not hasattr(find(family, kind), "layer_lists")]
    names = leaves if deep >= DEEPEST else kinds(family)
    return st.sampled_from(names).flatmap(lambda kind: written_components(family, kind, deep + 1))


def _tuples(arguments: tuple[Any, ...], marks: tuple[Any, ...], deep: int) -> SearchStrategy[Any]:
    if Ellipsis not in arguments:
        return st.tuples(*(_values(argument, (), deep) for argument in arguments))
    least = _bound(marks, MinLen, "min_length", 0)
    most = _bound(marks, MaxLen, "max_length", max(least, 4 - deep))
    return st.lists(_values(arguments[0], (), deep), min_size=least, max_size=most).map(tuple)


def _bound(marks: tuple[Any, ...], kind: type, name: str, default: Any) -> Any:
    return next((getattr(mark, name) for mark in marks if isinstance(mark, kind)), default)


def _sizes(least: int, most: int) -> SearchStrategy[int]:
    """Whole numbers, most of them small: combinations that fit are rare among large ones."""
    return st.integers(least, min(most, max(least, 0) + 3)) | st.integers(least, most)


def _whole_numbers(marks: tuple[Any, ...]) -> SearchStrategy[int]:
    least = max(_bound(marks, Ge, "ge", -6), _bound(marks, Gt, "gt", -7) + 1)
    most = min(_bound(marks, Le, "le", LARGEST), _bound(marks, Lt, "lt", LARGEST + 1) - 1)
    return _sizes(least, max(least, most))


def _numbers(marks: tuple[Any, ...]) -> SearchStrategy[float]:
    above, below = _bound(marks, Gt, "gt", None), _bound(marks, Lt, "lt", None)
    least = above if above is not None else _bound(marks, Ge, "ge", -4.0)
    most = below if below is not None else _bound(marks, Le, "le", max(4.0, least + 4.0))
    least = least if above is None else least + TINY
    most = most if below is None else most - TINY
    return st.sampled_from((least, most)) | st.floats(least, most, allow_subnormal=False)


def _texts(marks: tuple[Any, ...]) -> SearchStrategy[str]:
    pattern = next((mark.pattern for mark in marks if getattr(mark, "pattern", None)), None)
    longest = _bound(marks, MaxLen, "max_length", 30)
    if pattern is None:
        return st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=10)
    return st.from_regex(pattern).filter(lambda text: len(text) <= longest and "\n" not in text)


_PLAIN: dict[Any, Callable[[tuple[Any, ...]], SearchStrategy[Any]]] = {
    int: _whole_numbers,
    float: _numbers,
    str: _texts,
    bool: lambda marks: st.booleans(),
    type(None): lambda marks: st.none(),
}


def _from_schema(schema: dict[str, Any], deep: int) -> SearchStrategy[Any]:
    """Values by the JSON schema that a type of the project's own carries."""
    match schema:
        case {"$ref": "#/$defs/branch"}:
            return _branches(deep)
        case {"$ref": str(reference)}:
            return _any_kind(reference.rpartition("/")[2], deep)
        case {"anyOf": list(options)} | {"oneOf": list(options)}:
            return st.one_of([_from_schema(option, deep) for option in options])
        case {"enum": list(values)}:
            return st.sampled_from(values)
        case {"const": value}:
            return st.just(value)
        case {"type": "integer"}:
            return _whole_numbers(_marks(schema))
        case {"type": "number"}:
            return _numbers(_marks(schema))
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
        case {"type": "string", "pattern": str(pattern)}:
            return st.from_regex(re.compile(pattern, re.ASCII)).filter(lambda text: len(text) <= 30)
        case {"type": "string"}:
            return _texts(())
        case {"type": "array", "items": dict(items)}:
            least = schema.get("minItems", 0)
            most = schema.get("maxItems", max(least, 4))
            return st.lists(_from_schema(items, deep), min_size=least, max_size=most)
    if isinstance(values := schema.get("additionalProperties"), dict):
        names = st.sampled_from(["a", "b", "c"])
        return st.dictionaries(names, _from_schema(values, deep), min_size=schema.get("minProperties", 0))
    raise NotImplementedError(f"no strategy for the schema {schema}")


def _marks(schema: dict[str, Any]) -> tuple[Any, ...]:
    named = (("minimum", Ge), ("exclusiveMinimum", Gt), ("maximum", Le), ("exclusiveMaximum", Lt))
    return tuple(mark(schema[name]) for name, mark in named if name in schema)


def _branches(deep: int) -> SearchStrategy[Any]:
    names = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
    layers = st.lists(_any_kind("layers", deep), max_size=2).map(tuple)
    elsewhere = st.fixed_dictionaries({"from": names}, optional={"layers": layers})
    return layers | names | elsewhere


def every_kind(*families: str) -> list[tuple[str, str]]:
    """(family, kind) for all kinds of these families."""
    return [(family, kind) for family in families for kind in kinds(family)]
