"""The base of everything that a spec can name: settings, the one rule, and discovery.

A component is a pydantic model in a file of its own, named after its kind, in its family's folder: ``conv2d`` is
``Conv2d`` in ``components/layers/conv2d.py``. The folder's listing is therefore the list of kinds, and a spec imports
just the kinds it names, which keeps `check` and `params` quick however many kinds there are.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from dlrun.errors import Path
from dlrun.spec.words import EXPLAINED, KINDS, SETTINGS, did_you_mean, shorten, suggest

TOLD = "told"
"""The type of an error whose message is already what a user should read."""


class Settings(BaseModel):
    """A mapping of settings with fixed names. Types are strict, because YAML already gave every value its type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True, protected_namespaces=()
    )

    @classmethod
    def read(cls, values: Any, prefix: Path = ()) -> Self:
        """Validate plain values; every error says in our words what is wrong, at `prefix` and below.

        Raises:
            ValidationError: all problems found, each of type `TOLD`.
        """
        if not isinstance(values, dict):
            what = f"settings by name are expected here; received {shorten(values)}"
            raise told([Told(what, prefix)])
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise told(_tell_all(error.errors(include_url=False), cls, prefix)) from None
        except RecursionError:
            raise told([Told("nested too deep", prefix)]) from None


class Component(Settings):
    """One kind of a family; a spec writes it as its name, or as its name with its settings."""

    family: ClassVar[str]
    kind: ClassVar[str]
    main: ClassVar[str | None] = None
    """The setting that may stand alone after the kind: the first one of the kind's own."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.kind = cls.__module__.rpartition(".")[2]
        if cls.main is None and cls.__module__ != f"dlrun.components.{cls.family}":
            cls.main = next((name for name in cls.__annotations__ if name in cls.model_fields), None)

    def written(self) -> dict[str, Any]:
        """The component as a spec would write it, with every setting that has a value."""
        return {self.kind: written(self)}


@dataclass(frozen=True, slots=True)
class Told:
    """A problem in our words: its path, whether it is about the key or the value, and the way out."""

    message: str
    path: Path
    hint: str = ""
    at_key: bool = False


def told(problems: list[Told]) -> ValidationError:
    """Problems as the error that pydantic carries up through whatever holds the model."""
    return ValidationError.from_exception_data(
        "spec",
        [
            InitErrorDetails(
                type=PydanticCustomError(
                    TOLD, "{message}", {"message": item.message, "hint": item.hint, "at_key": item.at_key}
                ),
                loc=item.path,
                input=None,
            )
            for item in problems
        ],
    )


def problems_told(error: ValidationError) -> list[Told]:
    """The inverse of `told`, paths now complete."""
    return [
        Told(details["ctx"]["message"], details["loc"], details["ctx"]["hint"], details["ctx"]["at_key"])
        for details in error.errors(include_url=False)
    ]


class OneOf:
    """Marks a field that takes one component of a family: ``Annotated[Component, OneOf("losses")]``.

    The family goes by name, so that families need not import one another.
    """

    def __init__(self, family: str):
        self.family = family

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(functools.partial(choose, self.family))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.family}"}


class Nested:
    """Marks a field that takes a mapping of settings, so that its errors are in our words too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        def read(value: Any) -> Any:
            return value if isinstance(value, source) else source.read(value)

        return core_schema.no_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "object"}


def checked(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a validator of a function that raises ValueError with a message for the user."""

    @functools.wraps(check)
    def validate(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise PydanticCustomError(
                TOLD, "{message}", {"message": str(error), "hint": "", "at_key": False}
            ) from None

    return validate


def kinds(family: str) -> tuple[str, ...]:
    """The kinds of a family, from the files in its folder; nothing of them is imported."""
    return _kinds(family)


@functools.cache
def _kinds(family: str) -> tuple[str, ...]:
    package = importlib.import_module(f"dlrun.components.{family}")
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")))


@functools.cache
def families() -> tuple[str, ...]:
    """The families, from the folders under components/."""
    package = importlib.import_module("dlrun.components")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg))


@functools.cache
def find(family: str, kind: str) -> type[Component]:
    """The class of a kind that `kinds` lists."""
    module = importlib.import_module(f"dlrun.components.{family}.{kind}")
    return getattr(module, "".join(part.capitalize() for part in kind.split("_")))


def choose(family: str, value: Any) -> Component:
    """The one rule: a name, or a name with its settings, becomes a component.

    Raises:
        ValidationError: see `told`.
    """
    if isinstance(value, Component):
        return value
    kind, settings = _split(family, value)
    if kind not in kinds(family):
        raise told(_unknown_kind(family, kind, settings, () if isinstance(value, str) else (kind,)))
    cls = find(family, kind)
    if settings is None:
        settings = {}
    elif not isinstance(settings, dict):
        if cls.main is None:
            what = f"{kind} has no settings; received {shorten(settings)}"
            raise told([Told(what, (kind,), f"write `{kind}` alone")])
        settings = {cls.main: settings}
    return cls.read(settings, (kind,))


def _split(family: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return value, None
    one = singular(family)
    if not isinstance(value, dict) or not value:
        what = f"a name, or a name with settings, is expected for {one}; received {shorten(value)}"
        raise told([Told(what, ())])
    if len(value) > 1:
        first, second, *_ = value
        what = f"{one} is one name with its settings; found {len(value)} keys: " + ", ".join(
            f"'{key}'" for key in list(value)[:4]
        )
        if second in kinds(family):
            hint = "write each in an entry of its own: `- " + first + "`, then `- " + second + "`"
        else:
            hint = f"indent '{second}' below '{first}', or write `{first}: {{{second}: …}}`"
        raise told([Told(what, (second,), hint, at_key=True)])
    return next(iter(value.items()))


def _unknown_kind(family: str, kind: str, settings: Any, path: Path) -> list[Told]:
    """The kind is unknown; if it is clear which was meant, its settings are looked at as well."""
    meant = suggest(kind, kinds(family), KINDS.get(family, {}))
    what = f"unknown {singular(family).split(' ', 1)[1]} '{kind}'" + (f"; did you mean '{meant}'?" if meant else "")
    hint = "" if meant else f"`dlrun kinds {family}` lists what there is"
    problems = [Told(what, path, hint, at_key=True)]
    if meant and isinstance(settings, dict):
        try:
            find(family, meant).read(settings, path)
        except ValidationError as error:
            problems += problems_told(error)
    return problems


def singular(family: str) -> str:
    """``an optimizer`` for ``optimizers``."""
    word = {"losses": "loss", "preprocess": "preprocessing step", "sources": "data source"}.get(
        family, family.removesuffix("s")
    )
    return ("an " if word[0] in "aeiou" else "a ") + word


def written(value: Any) -> Any:
    """A validated value as plain YAML data; settings that were left out and have no value stay out."""
    if isinstance(value, Settings):
        found = {}
        for name, field in type(value).model_fields.items():
            item = getattr(value, name)
            if item is None or (item == () and not field.is_required()):
                continue
            found[field.alias or name] = item.written() if isinstance(item, Component) else written(item)
        return found
    if isinstance(value, tuple | list):
        return [item.written() if isinstance(item, Component) else written(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "settings by name",
    "finite_number": "a finite number",
    "path_type": "a path",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _tell_all(errors: list[Any], cls: type[Settings], prefix: Path) -> list[Told]:
    """All of pydantic's errors in our words, without those that only follow from another."""
    meant = {_meant(str(e["loc"][-1]), cls) for e in errors if e["type"] == "extra_forbidden"}
    kept = []
    for error in errors:
        loc, kind = error["loc"], error["type"]
        misspelt = kind == "missing" and loc[-1] in meant
        holds_others = kind == "too_short" and any(e["loc"][: len(loc)] == loc for e in errors if e is not error)
        if not (misspelt or holds_others):
            kept.append(_tell(error, cls, prefix))
    return kept


def _tell(details: Any, cls: type[Settings], prefix: Path) -> Told:
    """Say one of pydantic's errors in our words."""
    loc, kind, context = details["loc"], details["type"], details.get("ctx", {})
    path = (*prefix, *loc)
    if kind == TOLD:
        return Told(context["message"], path, context["hint"], context["at_key"])
    name = next((step for step in reversed(loc) if isinstance(step, str)), "")
    received = shorten(details["input"])
    if kind == "extra_forbidden":
        return _unknown_setting(str(loc[-1]), cls, path)
    if kind == "missing":
        owner = prefix[-1] if prefix else ""
        what = f"{owner} needs '{name}'" if isinstance(owner, str) and owner else f"'{name}' is missing"
        return Told(what, path, _help_for(cls, name), at_key=True)
    if kind in _EXPECTED:
        hint = _type_hint(kind, details["input"])
        return Told(f"'{name}' must be {_EXPECTED[kind]}; received {received}", path, hint)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Told(f"'{name}' must be {words} {context[key]:g}; received {received}", path)
    if kind == "literal_error":
        choices = _choices(cls, name)
        meant = did_you_mean(str(details["input"]), choices, {}) if choices else ""
        return Told(f"'{name}' must be {context['expected']}; received {received}{meant}", path)
    if kind == "too_short":
        return Told(f"'{name}' needs at least {context['min_length']} of its entries", path)
    if kind == "too_long":
        return Told(f"'{name}' takes at most {context['max_length']} entries; received {received}", path)
    if kind == "string_pattern_mismatch":
        return Told(f"'{name}' cannot be {received}", path, _help_for(cls, name))
    if kind == "value_error":
        return Told(str(context.get("error", details["msg"])), path)
    return Told(f"'{name}': {details['msg'][:1].lower()}{details['msg'][1:]}; received {received}", path)


def _type_hint(kind: str, received: Any) -> str:
    if kind == "string_type" and isinstance(received, bool | int | float):
        return "put it in quotes to make it a text"
    if kind == "int_type" and isinstance(received, float) and received.is_integer():
        return f"write {int(received)}; in an expression, `//` divides to a whole number"
    return ""


def _unknown_setting(word: str, cls: type[Settings], path: Path) -> Told:
    known = setting_names(cls)
    if word in EXPLAINED:
        return Told(f"unknown setting '{word}'", path, EXPLAINED[word], at_key=True)
    meant = did_you_mean(word, known, SETTINGS)
    if issubclass(cls, Component):
        hint = f"{cls.kind} has " + (", ".join(known) if known else "no settings")
    else:
        hint = "here can stand " + ", ".join(known)
    return Told(f"unknown setting '{word}'{meant}", path, "" if meant else hint, at_key=True)


def _meant(word: str, cls: type[Settings]) -> str:
    return suggest(word, setting_names(cls), SETTINGS)


def setting_names(cls: type[Settings]) -> list[str]:
    """The settings as a spec writes them."""
    return [field.alias or name for name, field in cls.model_fields.items()]


def _choices(cls: type[Settings], name: str) -> list[str]:
    field = cls.model_fields.get(name)
    arguments = get_args(field.annotation) if field else ()
    flat = [inner for item in arguments for inner in (get_args(item) or (item,))]
    return [item for item in flat if isinstance(item, str)]


def _help_for(cls: type[Settings], name: str) -> str:
    return field_help(cls).get(name, "")


@functools.cache
def field_help(cls: type[Settings]) -> types.MappingProxyType[str, str]:
    """Each field's docstring: the text that follows it in the source, on one line."""
    import ast
    import inspect
    import textwrap

    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        if not (isinstance(owner, type) and issubclass(owner, Settings)) or owner is Settings:
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(tree, ast.ClassDef)
        for statement, after in zip(tree.body, tree.body[1:], strict=False):
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[statement.target.id] = " ".join(str(after.value.value).split())
    return types.MappingProxyType(found)
