"""A checked experiment as a spec again, with every default written; and as flat pairs, to compare runs."""

from __future__ import annotations

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
    """Plain data as YAML text."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """No anchors: two layers that are alike are still two layers."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            # A text that YAML 1.2 would read as a number is quoted; a dollar sign would begin an expression.
            misread = len(data) <= MAX_DIGITS and not isinstance(resolve_scalar(data), str)
            style = "'" if misread else None
            return self.represent_scalar("tag:yaml.org,2002:str", data.replace("$", "$$"), style)

    Dumper.add_representer(str, Dumper.represent_str)
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


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
    model = with_absolute_paths(experiment.model, folder)
    if model is not None and model.weights is not None:
        found["model.weights"] = model.weights
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
