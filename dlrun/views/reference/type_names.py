"""A setting's JSON schema as text (``positive whole number, or a list of 2``), and values as YAML."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from dlrun.errors import SpecError
from dlrun.language.kinds import families, singular
from dlrun.language.text.document import parse_text

Schema = dict[str, Any]


def type_name(schema: Schema) -> str:
    """The values that a setting with this schema takes; null is left out."""
    return _choice([_phrase(option, False) for option in options(schema)])


def yaml_name(value: Any) -> str:
    """Plain data as YAML on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return re.sub(r"e([-+])0*", lambda sign: "e" + sign[1].strip("+"), repr(value))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml_name, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {yaml_name(item)}" for key, item in value.items()) + "}"
    text = str(value)
    return text if _is_read_back(text, value) else json.dumps(text, ensure_ascii=False)


def _is_read_back(text: str, value: Any) -> bool:
    """Whether a text without quotes is read as the value."""
    if not re.fullmatch(r"[A-Za-z0-9_./~-][A-Za-z0-9_./~ -]*", text):
        return False
    try:
        return parse_text(text, "").root.value == value
    except SpecError:  # `...` ends a document
        return False


def options(schema: Schema) -> list[Schema]:
    """The alternatives, without `null` and with those inside others in one list."""
    inner = schema.get("anyOf") or schema.get("oneOf")
    if inner is None:
        return [] if schema.get("type") == "null" else [schema]
    return [option for part in inner for option in options(part)]


def _choice(words: list[str]) -> str:
    """``a, or b``, shortened where a list of the same follows: ``whole number, or a list of 2``."""
    shortened = words[:1]
    for before, word in itertools.pairwise(words):
        match = re.fullmatch(r"list of (\d+ )?(.+)", word)
        same = match is not None and match[2] == _plural(before)
        shortened.append(f"a list of {(match[1] or 'them').strip()}" if match and same else word)
    return ", or ".join(shortened) if words else "anything"


def _phrase(schema: Schema, several: bool) -> str:
    if "const" in schema or "enum" in schema:
        values = [yaml_name(value) for value in schema.get("enum", [schema.get("const")])]
        return ", ".join(values[:-1]) + " or " + values[-1] if len(values) > 1 else values[0]
    one = _reference_name(schema["$ref"].rpartition("/")[2]) if "$ref" in schema else _typed(schema)
    return _plural(one) if several else one


def _reference_name(name: str) -> str:
    """The name of what a `$ref` points at."""
    if name in families():
        return singular(name).split(" ", 1)[1]
    return name if name == "branch" else f"the settings of {name}"


def _typed(schema: Schema) -> str:
    match schema.get("type"):
        case "integer":
            return _number(schema, "whole number", 1)
        case "number":
            return _number(schema, "number", None)
        case "boolean":
            return "true or false"
        case "string":
            examples = schema.get("examples")
            return f"text such as {examples[0]}" if examples else "text"
        case "array":
            return _list(schema)
        case "object":
            if named := schema.get("patternProperties"):
                return "mapping from names to " + type_name(next(iter(named.values())))
            inner = schema.get("additionalProperties")
            return "mapping from names to " + (_phrase(inner, True) if isinstance(inner, dict) and inner else "values")
    return "anything"


def _number(schema: Schema, word: str, step: int | None) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    below = None if below is not None and below >= 2**53 else below
    if above == 0 or (step and least == 1):
        word, above, least = f"positive {word}", None, None
        ends = [f"up to {most:g}"] if most is not None else []
        return " ".join([word, *ends, *([f"below {below:g}"] if below is not None else [])])
    low = f"{least:g}" if least is not None else f"above {above:g}" if above is not None else ""
    high = f"{most:g}" if most is not None else f"below {below:g}" if below is not None else ""
    if low and high:
        return f"{word} from {low} to {high}" if least is not None else f"{word} {low} and up to {high}"
    if low:
        return f"{word} from {low} on" if least is not None else f"{word} {low}"
    return f"{word} up to {high}" if high else word


def _list(schema: Schema) -> str:
    parts = schema.get("prefixItems")
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if parts and all(part == parts[0] for part in parts):
        return f"list of {len(parts)} " + _phrase(parts[0], True)
    if parts:
        return "list of " + ", ".join(_choice([_phrase(o, False) for o in options(part)]) for part in parts)
    inner = " or ".join(_phrase(option, True) for option in options(schema.get("items", {})))
    count = f"{least} " if least == most and least else ""
    return f"list of {count}{inner or 'values'}"


_IRREGULAR = {"loss": "losses", "branch": "branches", "text": "texts", "true or false": "true or false"}


def _plural(words: str) -> str:
    """The plural of what `_phrase` returns: of its noun, which is before any ``from`` or ``such as``."""
    if words in _IRREGULAR:
        return _IRREGULAR[words]
    noun, *rest = re.split(r"(?= from | above | below | up to | such as | of )", words, maxsplit=1)
    return "".join([noun if noun == "anything" else f"{noun}s", *rest])
