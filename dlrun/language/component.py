"""The base of everything that a spec can name: settings, and the one rule.

A component is a pydantic model in a file of its own, named after its kind, in its family's folder or in a room of that.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

from dlrun.errors import SpecPath
from dlrun.language.kinds import COMPONENTS, find, kinds, singular
from dlrun.language.messages import (
    DESCRIBED,
    SettingProblem,
    as_validation_error,
    describe_errors,
    setting_names,
    setting_problems,
)
from dlrun.language.other_words import foreign, line_to_write, no_one, suggested_kind, with_settings
from dlrun.language.suggestions import shorten

LARGEST = 3.4028234663852886e38
"""The largest number of float32, in which networks compute."""


SMALLEST = 2.0**-149
"""Its smallest number above 0."""


def _floats(value: Any) -> Iterator[float]:
    """All numbers of a setting that are not whole."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _floats(entry)


class Settings(BaseModel):
    """A mapping of settings with fixed names. Types are strict, because YAML already gave every value its type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True, protected_namespaces=()
    )

    @field_validator("*")
    @classmethod
    def _in_float32(cls, value: Any, info: ValidationInfo) -> Any:
        for number in _floats(value):
            if abs(number) > LARGEST:
                bound = f"is beyond float32, whose largest number is {LARGEST:.3g}"
            elif 0 < abs(number) < SMALLEST:
                bound = f"is 0 in float32, whose smallest number is {SMALLEST:.3g}"
            else:
                continue
            raise ValueError(f"{info.field_name} = {number:g} {bound}")
        return value

    @classmethod
    def read(cls, values: Any, prefix: SpecPath = ()) -> Self:
        """Validate plain values; errors have our messages, and their paths begin with `prefix`.

        Raises:
            ValidationError: all problems found, each of the type `DESCRIBED`.
        """
        if not isinstance(values, dict):
            what = f"settings by name are expected here; received {shorten(values)}"
            hint = "the settings here are " + ", ".join(setting_names(cls))
            raise as_validation_error([SettingProblem(what, prefix, hint)])
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise as_validation_error(describe_errors(error.errors(include_url=False), cls, prefix)) from None
        except RecursionError:
            raise as_validation_error([SettingProblem("nested too deep", prefix)]) from None


class Component(Settings):
    """One kind of a family; a spec writes it as its name, or as its name with its settings."""

    family: ClassVar[str]
    kind: ClassVar[str]
    room: ClassVar[str]
    """The folder within the family's that holds the kind; '' where the family has no rooms."""
    synonyms: ClassVar[tuple[str, ...]] = ()
    """Its names in other libraries, with the settings that make it equal to that: `jordan: {recurrence: output}`."""
    main: ClassVar[str | None] = None
    """The setting whose value may follow the kind directly: the first one that the kind itself declares."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        *rooms, cls.kind = cls.__module__.removeprefix(f"{COMPONENTS}.").split(".")
        cls.room = ".".join(rooms[1:])
        if cls.main is None and not cls.is_family_base():
            fields = cls.model_fields
            cls.main = next((fields[name].alias or name for name in cls.__annotations__ if name in fields), None)

    @classmethod
    def is_family_base(cls) -> bool:
        """Whether this is not a kind but a base class for kinds, in the family's own module."""
        return cls.kind == cls.family

    def changeable(self) -> dict[str, float]:
        """The numbers among its settings that a schedule may change, by name; `betas.0` is the first of a list."""
        return {}

    def with_numbers(self, values: Mapping[str, Any]) -> Self:
        """A copy with some of these numbers changed; they are not checked, and may be tensors."""
        changed: dict[str, Any] = {}
        for name, value in values.items():
            setting, _, place = name.partition(".")
            if not place:
                changed[setting] = value
                continue
            before = changed.get(setting, getattr(self, setting))
            changed[setting] = (*before[: int(place)], value, *before[int(place) + 1 :])
        return self.model_copy(update=changed)

    def written(self) -> dict[str, Any]:
        """The component as a spec would write it, with every setting that has a value."""
        return {self.kind: written(self)}


class OneOf:
    """Marks a field that takes one component of a family: ``Annotated[Component, OneOf("losses")]``.

    The family is given by name, so that families need not import one another.
    """

    def __init__(self, family: str):
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(functools.partial(choose, self.family))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.family}"}


class SomeOf(OneOf):
    """Marks a field that takes one component of a family, or a list of them."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(functools.partial(choose_some, self.family))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        one = {"$ref": f"#/$defs/{self.family}"}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


class AutoOrSome(OneOf):
    """Marks a field that takes `auto`, `off`, one component of a family, or a list of them; `off` is the empty list."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._choose)

    def _choose(self, value: Any) -> Literal["auto"] | tuple[Component, ...]:
        if value == "auto":
            return "auto"
        if value == "off" or value in ((), []):
            return ()
        chosen = choose_some(self.family, value)
        return chosen if isinstance(chosen, tuple) else (chosen,)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        one = {"$ref": f"#/$defs/{self.family}"}
        return {"anyOf": [{"enum": ["auto", "off"]}, one, {"type": "array", "items": one}]}


class OneOrByWeight(OneOf):
    """Marks a field that takes one component of a family, or a mapping to components from kinds of layers and patterns
    of weights.

    A mapping whose only key is a kind of the family is that component with its settings, as everywhere.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._choose)

    def _choose(self, value: Any) -> Component | dict[str, Component]:
        if not isinstance(value, dict) or self._means_one(value):
            return choose(self.family, value)
        chosen: dict[str, Component] = {}
        problems: list[SettingProblem] = []
        for key, item in value.items():
            if key in kinds(self.family):
                what = f"'{key}' is {singular(self.family)}; a kind of layer or a pattern of weights is expected here"
                hint = f"`{key}: …` stands alone; a layer that is called so is `{key}.*`, all weights are `*`"
                problems.append(SettingProblem(what, (key,), hint, at_key=True))
                continue
            try:
                chosen[key] = choose(self.family, item)
            except ValidationError as error:
                problems += [replace(problem, path=(key, *problem.path)) for problem in setting_problems(error)]
        if problems:
            raise as_validation_error(problems)
        return chosen

    def _means_one(self, value: dict[str, Any]) -> bool:
        """Whether a mapping is meant as one component: by the name of a kind, a misspelt one, or in another style."""
        if len(value) != 1:
            return not value or bool(foreign(self.family, value))
        (key,) = value
        if key in kinds("layers") or any(mark in key for mark in "*?."):
            return False
        return key in kinds(self.family) or bool(suggested_kind(self.family, key))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        one = {"$ref": f"#/$defs/{self.family}"}
        names = {"not": {"enum": list(kinds(self.family))}}
        by_weight = {"type": "object", "propertyNames": names, "minProperties": 1, "additionalProperties": one}
        return {"anyOf": [one, by_weight]}


def marks(field: FieldInfo) -> list[Any]:
    """What marks a field and the parts of its type, such as `OneOf`."""
    return [*field.metadata, *_marks_within(field.annotation)]


def _marks_within(annotation: Any) -> list[Any]:
    own = list(getattr(annotation, "__metadata__", ()))
    return own + [mark for part in get_args(annotation) for mark in _marks_within(part)]


@functools.cache
def families_in(cls: type[Settings]) -> dict[str, str]:
    """The settings of a class that take components, with the family of each."""
    chosen = {
        name: [mark for mark in marks(field) if isinstance(mark, OneOf)] for name, field in cls.model_fields.items()
    }
    return {name: found[0].family for name, found in chosen.items() if found}


class Nested:
    """Marks a field that takes a mapping of settings, so that its errors have our messages too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        def read(value: Any) -> Any:
            return value if isinstance(value, source) else source.read(value)

        return core_schema.no_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "object"}


class AloneOrNested(Nested):
    """Marks a field that takes a mapping of settings, or another type, which is a short form of it:
    ``Annotated[Names | Section, AloneOrNested()]``.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        *others, section = get_args(source)

        def read(value: Any, alone: Any) -> Any:
            if isinstance(value, section):
                return value
            return section.read(value) if isinstance(value, dict) else alone(value)

        short = handler.generate_schema(functools.reduce(operator.or_, others))
        return core_schema.no_info_wrap_validator_function(read, short)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return handler(schema["schema"])


def checked(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a validator of a function that raises ValueError with a message for the user."""

    @functools.wraps(check)
    def validate(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise PydanticCustomError(
                DESCRIBED, "{message}", {"message": str(error), "hint": "", "at_key": False}
            ) from None

    return validate


def choose(family: str, value: Any) -> Component:
    """The one rule: a name, or a name with its settings, becomes a component.

    Raises:
        ValidationError: see `as_validation_error`.
    """
    if isinstance(value, Component):
        return value
    kind, settings = _split(family, value)
    if kind not in kinds(family):
        raise as_validation_error(_unknown_kind(family, kind, settings, () if isinstance(value, str) else (kind,)))
    cls = find(family, kind)
    if settings is None:
        settings = {}
    elif not isinstance(settings, dict):
        if cls.main is None:
            what = f"{kind} has no settings; received {shorten(settings)}"
            raise as_validation_error([SettingProblem(what, (kind,), f"write `{kind}` alone")])
        settings = {cls.main: settings}
    return cls.read(settings, (kind,))


def choose_some(family: str, value: Any) -> Component | tuple[Component, ...]:
    """The one rule for one value or for each of a list.

    Raises:
        ValidationError: see `as_validation_error`.
    """
    if not isinstance(value, tuple | list):
        return choose(family, value)
    if not value:
        raise as_validation_error(
            [SettingProblem(f"{singular(family)}, or a list of them, is expected; received []", ())]
        )
    chosen: list[Component] = []
    problems: list[SettingProblem] = []
    for index, item in enumerate(value):
        try:
            chosen.append(choose(family, item))
        except ValidationError as error:
            problems += [replace(problem, path=(index, *problem.path)) for problem in setting_problems(error)]
    if problems:
        raise as_validation_error(problems)
    return tuple(chosen)


def _split(family: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return value, None
    one = singular(family)
    if not isinstance(value, dict) or not value:
        what = f"a name, or a name with settings, is expected for {one}; received {shorten(value)}"
        raise as_validation_error([SettingProblem(what, (), no_one(family, value))])
    if hint := foreign(family, value):
        what = f"{one} is one name with its settings; received the keys " + ", ".join(f"'{k}'" for k in list(value)[:4])
        raise as_validation_error([SettingProblem(what, (), hint)])
    if len(value) > 1:
        first, second, *_ = value
        if not any(key in kinds(family) for key in value):
            raise as_validation_error(_unknown_kind(family, str(first), value[first], (first,)))
        what = f"{one} is one name with its settings; found {len(value)} keys: " + ", ".join(
            f"'{key}'" for key in list(value)[:4]
        )
        hint = no_one(family, value)
        if not hint and second in kinds(family):
            hint = "write each in an entry of its own: `- " + first + "`, then `- " + second + "`"
        elif not hint:
            hint = f"indent '{second}' below '{first}', or write `{with_settings(family, value)}`"
        raise as_validation_error([SettingProblem(what, (second,), hint, at_key=True)])
    return next(iter(value.items()))


def _unknown_kind(family: str, kind: str, settings: Any, path: SpecPath) -> list[SettingProblem]:
    """The problems of an unknown kind: if it is clear which one was meant, its settings are checked as well."""
    meant, hint = suggested_kind(family, kind), line_to_write(family, kind, settings)
    what = f"unknown {singular(family).split(' ', 1)[1]} '{kind}'"
    if meant and not hint:
        what += f"; did you mean '{meant}'?"
    elif not hint:
        hint = f"`dlrun kinds {family}` lists what there is"
    problems = [SettingProblem(what, path, hint, at_key=True)]
    if meant and isinstance(settings, dict):
        try:
            find(family, meant.split(":")[0]).read(settings, path)
        except ValidationError as error:
            problems += setting_problems(error)
    return problems


def written(value: Any) -> Any:
    """A validated value as plain YAML data; settings that were left out and have no value stay out."""
    if isinstance(value, Settings):
        found = {}
        for name, field in type(value).model_fields.items():
            item = getattr(value, name)
            if item is None or (item == () and field.default == ()):
                continue
            found[field.alias or name] = item.written() if isinstance(item, Component) else written(item)
        return found
    if isinstance(value, tuple | list):
        return [item.written() if isinstance(item, Component) else written(item) for item in value]
    if isinstance(value, dict):
        return {name: item.written() if isinstance(item, Component) else written(item) for name, item in value.items()}
    return value if isinstance(value, bool | int | float | str | None) else str(value)
