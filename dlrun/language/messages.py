"""pydantic's errors as our messages: what is wrong with a setting, where, and the way out."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from dlrun.errors import MAX_SHOWN, SpecPath
from dlrun.language.suggestions import did_you_mean, shorten, suggest
from dlrun.language.synonyms import EXPLAINED, SETTINGS, VALUES

DESCRIBED = "described"
"""The type of an error whose message is already what a user should read."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """A problem of a setting: its path, whether it is about the key or the value, and the way out."""

    message: str
    path: SpecPath
    hint: str = ""
    at_key: bool = False


def as_validation_error(problems: list[SettingProblem]) -> ValidationError:
    """Problems as one error, which pydantic passes on to the models around this one."""
    return ValidationError.from_exception_data(
        "spec",
        [
            InitErrorDetails(
                type=PydanticCustomError(
                    DESCRIBED, "{message}", {"message": item.message, "hint": item.hint, "at_key": item.at_key}
                ),
                loc=item.path,
                input=None,
            )
            for item in problems
        ],
    )


def setting_problems(error: ValidationError) -> list[SettingProblem]:
    """The inverse of `as_validation_error`, paths now complete."""
    found = [(details["loc"], details.get("ctx", {})) for details in error.errors(include_url=False)]
    return [SettingProblem(context["message"], path, context["hint"], context["at_key"]) for path, context in found]


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


def describe_errors(errors: list[Any], cls: type[BaseModel], prefix: SpecPath) -> list[SettingProblem]:
    """All of pydantic's errors as our messages, without those that only follow from another."""
    unknown = [str(e["loc"][-1]) for e in errors if e["type"] == "extra_forbidden"]
    meant = {_meant(word, cls) for word in unknown[:MAX_SHOWN]}
    kept: list[SettingProblem] = []
    for error in errors:
        loc, kind = error["loc"], error["type"]
        misspelt = kind == "missing" and loc[-1] in meant
        holds_others = kind == "too_short" and any(e["loc"][: len(loc)] == loc for e in errors if e is not error)
        if kind == "extra_forbidden" and len(kept) >= MAX_SHOWN:  # to look for a word that is meant takes long
            kept.append(SettingProblem(f"unknown setting '{loc[-1]}'", (*prefix, *loc), at_key=True))
        elif not (misspelt or holds_others):
            kept.append(_describe(error, cls, prefix))
    return kept


def _describe(details: Any, cls: type[BaseModel], prefix: SpecPath) -> SettingProblem:
    """One of pydantic's errors as our message."""
    loc, kind, context = details["loc"], details["type"], details.get("ctx", {})
    path = (*prefix, *loc)
    if kind == DESCRIBED:
        if loc[-1:] == ("[key]",):  # pydantic's word for a key of a mapping
            return SettingProblem(context["message"], path[:-1], context["hint"], at_key=True)
        return SettingProblem(context["message"], path, context["hint"], context["at_key"])
    name = next((step for step in reversed(loc) if isinstance(step, str)), "")
    received = shorten(details["input"])
    if kind == "extra_forbidden":
        return _unknown_setting(str(loc[-1]), cls, path)
    if kind == "missing":
        owner = prefix[-1] if prefix else ""
        what = f"{owner} needs '{name}'" if isinstance(owner, str) and owner else f"'{name}' is missing"
        return SettingProblem(what, path, _help_for(cls, name), at_key=True)
    if kind in _EXPECTED:
        hint = _type_hint(kind, details["input"])
        return SettingProblem(f"'{name}' must be {_EXPECTED[kind]}; received {received}", path, hint)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        hint = ""
        if kind == "less_than" and context[key] == 1 and 1 < details["input"] < 100:
            hint = f"it is a share: write {details['input'] / 100:g} for {details['input']:g}%"
        return SettingProblem(f"'{name}' must be {words} {context[key]:g}; received {received}", path, hint)
    if kind == "literal_error":
        choices = _choices(cls, name)
        meant = did_you_mean(str(details["input"]), choices, VALUES) if choices else ""
        return SettingProblem(f"'{name}' must be {context['expected']}; received {received}{meant}", path)
    if kind == "too_short":
        least = context["min_length"]
        return SettingProblem(f"'{name}' needs at least {least} {'entry' if least == 1 else 'entries'}", path)
    if kind == "too_long":
        return SettingProblem(f"'{name}' takes at most {context['max_length']} entries; received {received}", path)
    if kind == "string_pattern_mismatch":
        return SettingProblem(f"'{name}' cannot be {received}", path, _help_for(cls, name))
    if kind == "value_error":
        return SettingProblem(str(context.get("error", details["msg"])), path)
    return SettingProblem(f"'{name}': {details['msg'][:1].lower()}{details['msg'][1:]}; received {received}", path)


def _type_hint(kind: str, received: Any) -> str:
    if kind == "string_type" and isinstance(received, bool | int | float):
        return "put it in quotes to make it a text"
    if kind == "int_type" and isinstance(received, float) and received.is_integer():
        return f"write {int(received)}; in an expression, `//` divides to a whole number"
    if kind == "float_type" and isinstance(received, str) and (percent := re.fullmatch(r"([\d.]+) ?%", received)):
        return f"it is a share: write {float(percent[1]) / 100:g}"
    if kind == "tuple_type" and received is not None and not isinstance(received, list | tuple):
        shown = f": `[{received}]`" if isinstance(received, str) and re.fullmatch(r"[\w./]+", received) else ""
        return f"put `[` and `]` around it{shown}"
    return ""


def _unknown_setting(word: str, cls: type[BaseModel], path: SpecPath) -> SettingProblem:
    known, kind = setting_names(cls), getattr(cls, "kind", None)
    if explained := EXPLAINED.get(word) or EXPLAINED.get(f"{kind}.{word}"):
        return SettingProblem(f"unknown setting '{word}'", path, explained, at_key=True)
    meant = did_you_mean(word, known, SETTINGS)
    if kind:
        hint = f"{kind} has " + (", ".join(known) if known else "no settings")
    else:
        hint = "the settings here are " + ", ".join(known)
    return SettingProblem(f"unknown setting '{word}'{meant}", path, "" if meant else hint, at_key=True)


def _meant(word: str, cls: type[BaseModel]) -> str:
    return suggest(word, setting_names(cls), SETTINGS)


def setting_names(cls: type[BaseModel]) -> list[str]:
    """The settings as a spec writes them."""
    return [field.alias or name for name, field in cls.model_fields.items()]


def _choices(cls: type[BaseModel], name: str) -> list[str]:
    field = cls.model_fields.get(name)
    arguments = get_args(field.annotation) if field else ()
    flat = [inner for item in arguments for inner in (get_args(item) or (item,))]
    return [item for item in flat if isinstance(item, str)]


def _help_for(cls: type[BaseModel], name: str) -> str:
    return field_help(cls).get(name, "")


def field_help(cls: type[BaseModel]) -> dict[str, str]:
    """Each field's docstring: the text that follows it in the source, on one line."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        if owner.__module__.partition(".")[0] == "dlrun":  # not pydantic's own
            found |= _own_help(owner)
    return found


@functools.cache
def _own_help(owner: type) -> dict[str, str]:
    import ast
    import inspect
    import textwrap

    found: dict[str, str] = {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for statement, after in zip(tree.body, tree.body[1:], strict=False):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[statement.target.id] = " ".join(str(after.value.value).split())
    return found
