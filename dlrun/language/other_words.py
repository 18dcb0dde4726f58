"""The line to write in place of another tool's word or style."""

from __future__ import annotations

import re
from typing import Any, get_args

from dlrun.language.kinds import find, kinds, singular, synonyms
from dlrun.language.suggestions import shorten, snake_case, suggest
from dlrun.language.synonyms import JOINING, NO_LAYERS, ONE_SOURCE, SETTINGS


def with_settings(family: str, value: dict[str, Any]) -> str:
    """A kind and the settings that stand beside it, as one line."""
    (first, own), *others = value.items()
    main = find(family, first).main if first in kinds(family) else None
    if main is None or own is None or isinstance(own, dict) or main in value:
        return f"{first}: {{{others[0][0]}: …}}"
    return f"{first}: {{{_on_a_line({main: own, **dict(others)})}}}"


_PLAIN = r"'[A-Za-z][\w./-]*'"
"""A text that needs no quotes in YAML."""


def _on_a_line(settings: dict[str, Any]) -> str:
    """Settings as one line of YAML; a text that could be read as something else is in quotes."""
    texts = []
    for name, item in settings.items():
        text = shorten(item)
        texts.append(f"{name}: {text[1:-1] if re.fullmatch(_PLAIN, text) else text}")
    return ", ".join(texts)


_NAMING = ("_target_", "class_name", "class", "type", "name", "kind", "module")
"""Keys under which other tools write what dlrun writes as the key."""
_NESTING = ("config", "params", "kwargs", "args", "init_args", "settings")
"""Keys under which other tools write the settings."""


def foreign(family: str, value: dict[str, Any]) -> str:
    """The line to write for a component in another tool's style, such as `{type: Linear, out_features: 4}`."""
    key = next((key for key in _NAMING if isinstance(value.get(key), str)), None)
    if key is None or next(iter(value)) in kinds(family):
        return ""
    word = value[key].rpartition(".")[2] if key == "_target_" else value[key]
    given = {name: item for name, item in value.items() if name != key}
    for name in _NESTING:
        if isinstance(given.get(name), dict):
            given |= given.pop(name)
    meant = suggested_kind(family, word)
    if not meant:
        return ""
    kind = meant.partition(":")[0]
    fields, settings = find(family, kind).model_fields, {}
    for name, item in given.items():
        if setting := suggest(str(name), fields, SETTINGS):
            settings[setting] = item
    if not settings:
        return f"write `{kind}`"
    return f"write `{kind}: {{{_on_a_line(settings)}}}`"


def suggested_kind(family: str, kind: str) -> str:
    if called := re.fullmatch(r"([A-Za-z_]\w*\.)*([A-Za-z_]\w*)\(.*\)", kind):  # nn.Linear(3, 4)
        kind = called[2]
    elif family != "sources" and re.fullmatch(r"([A-Za-z_]\w*\.)+[A-Za-z_]\w*", kind):
        kind = kind.rpartition(".")[2]
    return suggest(kind, kinds(family), synonyms(family))


def line_to_write(family: str, word: str, settings: Any) -> str:
    """What to write for a word that is no kind but says what is meant, such as a file, or ''."""
    if family == "sources" and (snake_case(word) in JOINING or _is_source(settings)):
        return ONE_SOURCE
    if family == "layers" and snake_case(word) in NO_LAYERS:
        return NO_LAYERS[snake_case(word)]
    begin, colon, rest = word.partition(":")
    if colon and begin in kinds(family):
        return f"a space follows ':': write `{begin}: {rest}`"
    if family == "layers":
        return ""
    ending = word.rpartition(".")[2].lower() if "." in word else ""
    if family == "sources" and ending in kinds(family):
        return f"write `source: {{{ending}: {word}}}`"
    for kind in _likely_first(family, word, settings):
        cls = find(family, kind)
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        if cls.main is not None and word in get_args(fields[cls.main].annotation):
            return f"write `{kind}: {word}`"
        if settings is not None and word in fields:
            given = _on_a_line({word: settings}) if not isinstance(settings, dict) else f"{word}: …"
            return f"write the name of {singular(family)} before its settings, such as `{kind}: {{{given}}}`"
    return ""


def no_one(family: str, value: Any) -> str:
    """What to write in place of a value that is not one component, or ''."""
    several = isinstance(value, list | tuple) and len(value) > 1 and any(map(_is_source, value))
    several = several or (isinstance(value, dict) and sum(key in kinds(family) for key in value) > 1)
    return ONE_SOURCE if family == "sources" and several else ""


def _is_source(value: Any) -> bool:
    """Whether a value is a source as a spec writes it."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in kinds("sources")


def _likely_first(family: str, word: str, settings: Any) -> list[str]:
    """The kinds of a family: the one that a file's ending names first, then those that a setting is the main one of."""
    ending = str(settings).rpartition(".")[2].lower()
    return sorted(kinds(family), key=lambda kind: (kind != ending, find(family, kind).main != word, len(kind)))
