"""The JSON schema of each setting, derived from its type, so that a new kind needs nothing more for it.

The schema of a component is the reference ``{"$ref": "#/$defs/<family>"}``, and a nested section has such a reference
too; the caller adds the definitions.
"""

from __future__ import annotations

import functools
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from dlrun.language.component import AloneOrNested, Component, Settings, marks, written
from dlrun.language.messages import field_help


class _WithOuterReferences(GenerateJsonSchema):
    """Keeps references to the language's own definitions, which pydantic's generator would look up."""

    def generate(self, schema: Any, mode: Any = "validation") -> JsonSchemaValue:
        drawn = self.generate_inner(schema)
        while (inner := self.json_to_defs_refs.get(drawn.get("$ref", ""))) is not None:
            drawn = self.definitions[inner]
        return drawn

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])  # defaults are written as a spec has them, below

    def handle_ref_overrides(self, json_schema: JsonSchemaValue) -> JsonSchemaValue:
        return json_schema


@functools.cache
def settings_schemas(cls: type[Settings]) -> dict[str, dict[str, Any]]:
    """Each setting's JSON schema by the name that a spec writes, its help and its default included."""
    drawn = cls.model_json_schema(schema_generator=_WithOuterReferences)["properties"]
    schemas: dict[str, dict[str, Any]] = {}
    schema: dict[str, Any]
    for name, field in cls.model_fields.items():
        written_name = field.alias or name
        schema = {key: value for key, value in drawn[written_name].items() if key not in ("title", "default")}
        if nested_settings(field.annotation) is not None:
            section = {"$ref": f"#/$defs/{written_name}"}
            if any(isinstance(mark, AloneOrNested) for mark in marks(field)):
                schema = {"anyOf": [section, *schema.get("anyOf", [schema])]}
            else:
                schema = {"anyOf": [section, {"type": "null"}]} if field.default is None else section
        words = field_help(cls).get(name, "")
        if words:
            schema["description"] = words
        default = written(field.default)
        has_no_default = field.is_required() or "unless given" in words
        if not has_no_default and default is not None and not isinstance(default, dict):
            schema["default"] = default
        schemas[written_name] = schema
    return schemas


def required_settings(cls: type[Settings]) -> list[str]:
    """The settings that must be given, as a spec writes them."""
    return [field.alias or name for name, field in cls.model_fields.items() if field.is_required()]


def main_alone(cls: type[Component]) -> str | None:
    """The setting whose value may follow the kind directly; None where another one must be given with it."""
    return cls.main if set(required_settings(cls)) <= {cls.main} else None


def nested_settings(annotation: Any) -> type[Settings] | None:
    """The section that a field of this type holds, if it holds one."""
    if isinstance(annotation, type):
        is_section = issubclass(annotation, Settings) and not issubclass(annotation, Component)
        return annotation if is_section else None
    if get_origin(annotation) not in (Annotated, Union, types.UnionType):
        return None
    return next((found for part in get_args(annotation) if (found := nested_settings(part))), None)


@functools.cache
def sections() -> dict[str, type[Settings]]:
    """Every section of a spec by its name, sections within sections included; the spec itself is `spec`."""
    from dlrun.language.experiment import Experiment

    found: dict[str, type[Settings]] = {"spec": Experiment}
    pending: list[type[Settings]] = [Experiment]
    while pending:
        for name, field in pending.pop(0).model_fields.items():
            section = nested_settings(field.annotation)
            if section is not None and name not in found:
                found[name] = section
                pending.append(section)
    return found
