"""A checked experiment as a spec again, with every default written; and as flat pairs, to compare runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlrun.language.component import Component, Settings, written
from dlrun.language.experiment import INPUT, Experiment
from dlrun.language.paths import with_absolute_paths
from dlrun.language.text.yaml_events import MAX_DIGITS, resolve_scalar
from dlrun.shapes import Shape


def resolved(experiment: Experiment, folder: Path, inputs: Mapping[str, Shape]) -> dict[str, Any]:
    """The experiment as plain YAML data.

    Paths are absolute, so that it runs from anywhere, and the shapes of the network's `inputs` are written, so that
    it can be built without the data.
    """
    data = written(with_absolute_paths(experiment, folder))
    shapes = {name: list(shape) for name, shape in inputs.items()}
    taken = {"input": shapes[INPUT]} if _is_one(inputs) else {"inputs": shapes}
    data["model"] = taken | {key: value for key, value in data["model"].items() if key not in ("input", "inputs")}
    return data


def _is_one(inputs: Mapping[str, Shape]) -> bool:
    return list(inputs) == [INPUT]


def as_yaml(data: dict[str, Any]) -> str:
    """Plain data as YAML text; two equal parts are written twice, and nothing is too deep."""
    import yaml

    return yaml.emit(_events(data), allow_unicode=True, width=110)


def _events(data: Any) -> Iterator[Any]:
    """The events of a document. They are made in a loop, so that no depth can exhaust the stack."""
    import yaml

    resolver = yaml.resolver.Resolver()
    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    rest = [iter([data])]
    ends: list[Any] = []
    while rest:
        for value in rest[-1]:
            if isinstance(value, dict | list):
                is_list = isinstance(value, list)
                start = yaml.SequenceStartEvent if is_list else yaml.MappingStartEvent
                yield start(None, None, implicit=True, flow_style=not value)
                ends.append(yaml.SequenceEndEvent() if is_list else yaml.MappingEndEvent())
                rest.append(iter(value if is_list else [part for key, of in value.items() for part in (_Key(key), of)]))
                break
            yield _scalar(value, resolver)
        else:
            rest.pop()
            if ends:
                yield ends.pop()
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


class _Key(str):
    """A key, in which a dollar sign begins no expression."""


_ESCAPED = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
"""Characters that are lost or refused unless they are written as escapes, between double quotes."""


def _scalar(value: Any, resolver: Any) -> Any:
    import yaml

    if not isinstance(value, str):
        text = "null" if value is None else _text(value) if isinstance(value, bool | int) else _float(value)
        return yaml.ScalarEvent(None, None, (True, False), text)
    # A text that YAML 1.2 or 1.1 would read as a number is quoted; a dollar sign would begin an expression.
    plain = resolver.resolve(yaml.ScalarNode, value, (True, False)) == resolver.DEFAULT_SCALAR_TAG
    plain = plain and (len(value) > MAX_DIGITS or isinstance(resolve_scalar(value), str))
    style = '"' if _ESCAPED.search(value) else None if plain else "'"
    text = value if isinstance(value, _Key) else value.replace("$", "$$")
    return yaml.ScalarEvent(None, None, (plain, True), text, style=style)


def _float(value: float) -> str:
    """All digits, and a point: YAML 1.1 reads 1e-05 as text."""
    mantissa, exponent, power = repr(value).partition("e")
    return mantissa + ("" if "." in mantissa or not exponent else ".0") + exponent + power


def flattened(experiment: Experiment, folder: Path, inputs: Mapping[str, Shape]) -> dict[str, str]:
    """Every setting under a stable name: the name of a component gives its kind, longer names give its settings.

    So two runs with different optimizers compare `optimizer` with `optimizer` and `optimizer.lr` with `optimizer.lr`.
    It takes what `resolved` takes. An experiment and the one that `resolved` makes from it give the same pairs.
    """
    found = dict(_pairs("", experiment))
    given = [name for name in found if name == "model.input" or name.startswith("model.inputs.")]
    for name in given:
        del found[name]
    for name, shape in inputs.items():
        found["model.input" if _is_one(inputs) else f"model.inputs.{name}"] = _text(shape)
    if experiment.model is not None:
        model = with_absolute_paths(experiment.model, folder)
        found |= dict(_pairs("model.weights", model.weights)) | dict(_pairs("model.names", model.names))
    return found


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Component):
        yield name, value.kind
    if isinstance(value, Settings):
        for key, field in type(value).model_fields.items():
            below = field.alias or key
            yield from _pairs(f"{name}.{below}" if name else below, getattr(value, key))
    elif isinstance(value, tuple) and any(isinstance(item, Settings) for item in value):
        for index, item in enumerate(value):
            yield from _pairs(f"{name}.{index}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _pairs(f"{name}.{key}", item)
    elif value is not None and value != ():
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)
