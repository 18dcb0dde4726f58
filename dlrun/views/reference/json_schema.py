"""The language as a JSON Schema (draft 2020-12): every family, every section, from the classes themselves.

Editors complete from it and show each setting's help. It sees one file at a time, and computes nothing: any name may
be a block's, any value may be an expression, and a file that extends another may leave out what that one has.
"""

from __future__ import annotations

from typing import Any

from dlrun.components.layers import From
from dlrun.language.experiment import NEEDED_WITH_DATA
from dlrun.language.kinds import families, find, kinds
from dlrun.language.settings_schema import main_alone, required_settings, sections, settings_schemas
from dlrun.language.text.overrides import ONE_COMPONENT
from dlrun.views.reference.reference import (
    WRITTEN_ONLY,
    KindReference,
    describe_family,
    describe_kind,
    describe_section,
)
from dlrun.views.reference.type_names import options

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]*$"
NULL = {"type": "null"}


def language_schema() -> Schema:
    """The JSON Schema of a whole spec."""
    root = _section("spec")
    root["properties"] = {name: _with_option(value, NULL) for name, value in root["properties"].items()}
    root["properties"] |= _written_only()
    return {
        "$schema": DIALECT,
        "title": "dlrun",
        **root,
        "description": "A deep-learning experiment: data, network, loss, optimizer and training.",
        "if": {"properties": {"extends": NULL}},
        "then": _complete(),
        "$defs": _definitions(),
    }


def _written_only() -> dict[str, Schema]:
    """`extends`, `vars` and `blocks`, which take no expressions."""
    helps = {setting.name: setting.help for setting in WRITTEN_ONLY}
    names = {"type": ["object", "null"], "propertyNames": {"pattern": IDENTIFIER}}
    return {
        "extends": {"description": helps["extends"], "type": ["string", "null"]},
        "vars": {"description": helps["vars"], **names},
        "blocks": {"description": helps["blocks"], **names, "additionalProperties": _ref("block")},
    }


def _definitions() -> dict[str, Schema]:
    expression = {
        "description": "A value by name, `$width`, or by arithmetic, `$(4 * width)`.",
        "type": "string",
        "pattern": r"\$",
    }
    found: dict[str, Schema] = {"expression": expression, "branch": _branch(), "block": _block()}
    found |= {name: _section(name) for name in sections() if name != "spec"}
    return found | {family: _family(family) for family in families()}


def _complete() -> Schema:
    """The requirements of a file that extends no other; a file that does may take them from there."""
    inner: dict[str, Schema] = {"blocks": {"additionalProperties": {"required": ["layers"]}}}
    for name in settings_schemas(sections()["spec"]):
        if name in sections() and (required := required_settings(sections()[name])):
            inner[name] = {"required": required}
    for path, family in _merging().items():
        needed = {kind: {"required": names} for kind in kinds(family) if (names := _needed(family, kind))}
        if needed:
            holder = inner if len(path) == 1 else inner.setdefault(path[0], {}).setdefault("properties", {})
            holder[path[-1]] = {"properties": needed}
    data = {"properties": {"data": {"type": "object"}}, "required": ["data"]}
    needed_with_data = [name for name in NEEDED_WITH_DATA if name != "model"]
    return {"required": ["model"], "properties": inner, "if": data, "then": {"required": needed_with_data}}


def _needed(family: str, kind: str) -> list[str]:
    return required_settings(find(family, kind))


def _merging() -> dict[tuple[str, ...], str]:
    """Where a file's component may merge with that of the file it extends, so that either may be incomplete.

    Initializers are left out: layers have them too, in lists, and lists never merge.
    """
    found = {}
    for path in sorted(ONE_COMPONENT):
        section = sections()[path[0] if len(path) > 1 else "spec"]
        family = options(settings_schemas(section)[path[-1]])[0]["$ref"].rpartition("/")[2]
        if family != "initializers":
            found[path] = family
    return found


def _section(name: str) -> Schema:
    schemas = settings_schemas(sections()[name])
    return {
        "description": describe_section(name).summary,
        "type": "object",
        "properties": {name: _or_expression(schema) for name, schema in schemas.items()},
        "additionalProperties": False,
    }


def _family(family: str) -> Schema:
    """A component: its name, its name with settings, or an expression that gives one."""
    described = {kind: describe_kind(family, kind) for kind in kinds(family)}
    needing = [kind for kind in kinds(family) if _needed(family, kind)]
    alone = [kind for kind in kinds(family) if kind not in needing]
    names = {"type": "string", "enum": alone, "enumDescriptions": [described[kind].summary for kind in alone]}
    mapping: Schema = {
        "type": "object",
        "properties": {kind: _kind(entry) for kind, entry in described.items()},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    choices = [*([names] if alone else []), mapping, _ref("expression")]
    if family == "layers":
        mapping["additionalProperties"] = {"description": "A block of this file."}
        mapping["propertyNames"] = {"pattern": IDENTIFIER}
        block = {"type": "string", "pattern": IDENTIFIER, "not": {"enum": needing}}
        choices.insert(-1, {"description": "A block of this file.", **block})
    return {"description": describe_family(family).summary, "anyOf": choices}


def _kind(entry: KindReference) -> Schema:
    """What may follow a kind's name."""
    cls = find(entry.family, entry.kind)
    schemas = {name: _or_expression(schema) for name, schema in settings_schemas(cls).items()}
    required = required_settings(cls)
    settings: Schema = {"type": "object", "properties": schemas, "additionalProperties": False}
    if required and entry.family not in _merging().values():
        settings["required"] = required
    choices = [settings]
    if (main := main_alone(cls)) is not None:
        choices += options(schemas[main])
    if not any(map(_takes_any_text, choices)):
        choices.append(_ref("expression"))
    if not required:
        choices.append(NULL)
    parts = [
        entry.summary,
        *(f"{n}: {t}" for n, t in (("Shape", entry.shape), ("Example", entry.example)) if t),
    ]
    return {
        "description": "\n\n".join(parts),
        "anyOf": [c for n, c in enumerate(choices) if c not in choices[:n]],
    }


def _branch() -> Schema:
    start = {name: _or_expression(schema) for name, schema in settings_schemas(From).items()}
    return {
        "description": "Layers (`[]`: the running value), a layer's name, or `{from: …, layers: […]}`.",
        "anyOf": [
            {"type": "array", "items": _ref("layers")},
            {"description": "The name of an earlier layer.", "type": "string"},
            {
                "type": "object",
                "properties": start,
                "required": required_settings(From),
                "additionalProperties": False,
            },
        ],
    }


def _block() -> Schema:
    return {
        "description": "A layer macro: its parameters with their defaults, and its layers.",
        "type": "object",
        "properties": {
            "description": {"description": "What the block is.", "type": "string"},
            "parameters": {
                "description": "Names and defaults (null: must be given); the first is the main one.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": IDENTIFIER},
            },
            "layers": {"description": "The layers, in order.", "type": "array", "items": _ref("layers")},
        },
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _or_expression(schema: Schema) -> Schema:
    """The same schema, where an expression may stand for any value in it."""
    found = dict(schema)
    if "anyOf" in found:
        found["anyOf"] = [_with_inner_expressions(option) for option in found["anyOf"]]
    found = _with_inner_expressions(found)
    return found if any(map(_takes_any_text, options(found))) else _with_option(found, _ref("expression"))


def _with_inner_expressions(schema: Schema) -> Schema:
    found = dict(schema)
    parts = found.get("prefixItems")
    if parts and all(part == parts[0] for part in parts):  # `items` alone is what older language servers know
        found["items"] = found.pop("prefixItems")[0]
    if "items" in found:
        found["items"] = _or_expression(found["items"])
    if "patternProperties" in found:  # a mapping whose names are the user's own
        found["patternProperties"] = {name: _or_expression(part) for name, part in found["patternProperties"].items()}
        found["additionalProperties"] = False
    if "prefixItems" in found:
        found["prefixItems"] = [_or_expression(item) for item in found["prefixItems"]]
    return found


def _takes_any_text(schema: Schema) -> bool:
    """Whether it takes expressions already: it is free text, or a definition that lists them itself."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2] in (*families(), "branch", "expression")
    return schema.get("type") == "string" and not schema.keys() & {
        "enum",
        "const",
        "pattern",
        "minLength",
        "maxLength",
    }


def _with_option(schema: Schema, option: Schema) -> Schema:
    """The schema with one more alternative; its description and default stay outside of the alternatives."""
    outside = {key: value for key, value in schema.items() if key in ("description", "default")}
    inside = {key: value for key, value in schema.items() if key not in outside}
    choices = inside["anyOf"] if inside.keys() == {"anyOf"} else [inside]
    return schema if option in choices else {**outside, "anyOf": [*choices, option]}
