"""A description of every kind and every section, as data: from the classes and their docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass
from typing import Any

from dlrun.language.component import Component, Settings
from dlrun.language.kinds import families, find, kinds, singular
from dlrun.language.settings_schema import main_alone, required_settings, sections, settings_schemas
from dlrun.views.reference.type_names import options, type_name, yaml_name

HEADINGS = ("Shape", "Raises", "Reference", "Example")
"""The sections of a component's docstring."""

_HEADING = re.compile(r"([A-Z][a-z]+):(?:\s+(.*))?$")


@dataclass(frozen=True, slots=True)
class SettingReference:
    """One setting, as texts."""

    name: str
    type: str
    default: str | None
    """As YAML; None where there is none."""
    help: str
    required: bool
    main: bool
    """Whether its value may stand alone after the kind."""


@dataclass(frozen=True, slots=True)
class KindReference:
    """Everything about one kind."""

    family: str
    kind: str
    summary: str
    description: str
    """The docstring after its first paragraph, before its sections."""
    shape: str
    raises: str
    reference: str
    example: str
    settings: tuple[SettingReference, ...]
    """Its own settings."""
    common: tuple[SettingReference, ...]
    """Those that it shares with others of its family."""


@dataclass(frozen=True, slots=True)
class FamilyReference:
    """A family, with a summary of it and of each kind."""

    family: str
    one: str
    """``a loss``."""
    summary: str
    kinds: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SectionReference:
    """One section of a spec; the spec itself is the section `spec`."""

    section: str
    summary: str
    settings: tuple[SettingReference, ...]


WRITTEN_ONLY = (
    SettingReference(
        "extends",
        "text",
        None,
        "One other file to start from: mappings merge, everything else replaces.",
        False,
        False,
    ),
    SettingReference("vars", "mapping from names to values", None, "Values for `$name` and `$(...)`.", False, False),
    SettingReference(
        "blocks",
        "mapping from names to blocks",
        None,
        "Layer macros, each with `parameters` and their defaults (null: must be given) and `layers`.",
        False,
        False,
    ),
)
"""What a file may have besides its sections; expansion replaces it."""


def describe_family(family: str) -> FamilyReference:
    """A family with its kinds and their summaries."""
    doc = inspect.getdoc(importlib.import_module(f"dlrun.components.{family}")) or ""
    rows = tuple((kind, parse_docstring(find(family, kind))["summary"]) for kind in kinds(family))
    summary = " ".join(doc.split()).partition(": ")[2]
    return FamilyReference(family, singular(family), summary[:1].upper() + summary[1:], rows)


def describe_kind(family: str, kind: str) -> KindReference:
    """Everything about a kind that `kinds` lists."""
    cls = find(family, kind)
    docstring = parse_docstring(cls)
    shared = _common_settings(cls)
    every = _settings(cls, main_alone(cls))
    return KindReference(
        family,
        kind,
        **docstring,
        settings=tuple(setting for setting in every if setting.name not in shared),
        common=tuple(setting for setting in every if setting.name in shared),
    )


def describe_section(section: str) -> SectionReference:
    """A section that `sections` lists."""
    cls = sections()[section]
    settings = _settings(cls, None)
    if section == "spec":
        return SectionReference(section, "A whole file.", (*settings, *WRITTEN_ONLY))
    return SectionReference(section, parse_docstring(cls)["summary"], settings)


def all_kinds() -> list[tuple[str, str]]:
    """Every (family, kind) there is."""
    return [(family, kind) for family in families() for kind in kinds(family)]


def parse_docstring(cls: type[Settings]) -> dict[str, str]:
    """The parts of a component's docstring: summary, description, shape, raises, reference, example."""
    parts: dict[str, list[str]] = {"text": []}
    current = "text"
    for line in inspect.cleandoc(cls.__doc__ or "").split("\n"):
        match = _HEADING.match(line)
        if match and match[1] in HEADINGS:
            current = match[1].lower()
            line = match[2] or ""
        parts.setdefault(current, []).append(line.rstrip())
    summary, _, rest = "\n".join(parts["text"]).strip().partition("\n\n")
    described = {"summary": " ".join(summary.split()), "description": _paragraphs(rest)}
    for heading in HEADINGS:
        lines = parts.get(heading.lower(), [])
        keep_lines = heading == "Example"
        described[heading.lower()] = (
            inspect.cleandoc("\n".join(lines)) if keep_lines else " ".join(" ".join(lines).split())
        )
    return described


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def _common_settings(cls: type[Component]) -> set[str]:
    """The settings that the bases of the family declare, and those of several families, without the kind's main one."""
    shared: set[str] = set()
    for base in cls.__mro__:
        if base is Component or not issubclass(base, Settings):
            continue
        if not issubclass(base, Component) or base.is_family_base():  # the first is shared by families
            declared = inspect.get_annotations(base)
            shared |= {f.alias or name for name, f in base.model_fields.items() if name in declared}
    return shared - {cls.main}


def _settings(cls: type[Settings], alone: str | None) -> tuple[SettingReference, ...]:
    required = required_settings(cls)
    found = [
        SettingReference(
            name,
            type_name(schema),
            _default(schema),
            schema.get("description", ""),
            name in required,
            name == alone,
        )
        for name, schema in settings_schemas(cls).items()
    ]
    return tuple(sorted(found, key=lambda setting: not setting.required))


def _default(schema: dict[str, Any]) -> str | None:
    value = schema.get("default")
    one_for_all = any(option.get("type") == "integer" for option in options(schema))
    if isinstance(value, list) and value and one_for_all and len(set(value)) == 1:
        value = value[0]
    return None if value is None else yaml_name(value)
