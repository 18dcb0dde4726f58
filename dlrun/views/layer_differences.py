"""The layers of two networks, aligned: which were added, removed or changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from dlrun.components.layers import Container
from dlrun.language.component import Component, written
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """A layer that only one of two networks has, or that both have in another way."""

    change: Change
    name: str
    """Its name in the second network; in the first one for a layer that was removed."""
    first: str
    """How it is written in the first network, with its weights where their number differs; '' if it is not there."""
    second: str


def layer_differences(first: Plan, second: Plan) -> list[LayerDifference]:
    """The layers that differ, in order. Names that count layers say nothing, so they are not compared.

    A layer whose number of weights follows from a layer before it is changed too.
    """
    old, new = [_Shown.of(step) for step in first.layers], [_Shown.of(step) for step in second.layers]
    return list(_differences(old, new))


@dataclass(frozen=True, slots=True)
class _Shown:
    name: str
    kind: str
    settings: dict[str, str]
    """All of them as texts, without the layers inside."""
    given: frozenset[str]
    """Those that are not what they would be unless given."""
    weights: int

    @classmethod
    def of(cls, step: Step) -> _Shown:
        settings, given = _settings(step.layer)
        return cls(step.name, step.kind, settings, given, step.params)

    @property
    def identity(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What a layer is, wherever it stands."""
        return self.kind, tuple(self.settings.items())

    def text(self, beside: _Shown | None = None) -> str:
        """The layer as a spec has it; beside another one only the settings and the number of weights that differ."""
        if beside is None:
            shown = {name: value for name, value in self.settings.items() if name in self.given}
        else:
            shown = {name: value for name, value in self.settings.items() if beside.settings.get(name) != value}
        settings = ", ".join(f"{name} {value}" for name, value in shown.items())
        text = f"{self.kind}: {settings}" if settings else self.kind
        return text if beside is None or beside.weights == self.weights else f"{text}; {self.weights:,} weights"


def _settings(layer: Any) -> tuple[dict[str, str], frozenset[str]]:
    if not isinstance(layer, Component):
        return {}, frozenset()
    inner = (*layer.layer_lists, *layer.branch_lists) if isinstance(layer, Container) else ()
    settings = {name: _text(value) for name, value in written(layer).items() if name not in ("name", *inner)}
    unless_given = {
        field.alias or key for key, field in type(layer).model_fields.items() if field.default == getattr(layer, key)
    }
    return settings, frozenset(settings) - unless_given


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _differences(old: Sequence[_Shown], new: Sequence[_Shown]) -> Iterator[LayerDifference]:
    for same, before, after in _aligned([one.identity for one in old], [one.identity for one in new]):
        if same:
            for one, other in zip(old[before], new[after], strict=True):
                if one.weights != other.weights:
                    yield LayerDifference("changed", other.name, one.text(other), other.text(one))
            continue
        # What stands in one place with one kind is one layer whose settings changed.
        left, right = old[before], new[after]
        for alike, was, now in _aligned([one.kind for one in left], [one.kind for one in right]):
            if alike:
                for one, other in zip(left[was], right[now], strict=True):
                    yield LayerDifference("changed", other.name, one.text(other), other.text(one))
            else:
                yield from (LayerDifference("removed", one.name, one.text(), "") for one in left[was])
                yield from (LayerDifference("added", one.name, "", one.text()) for one in right[now])


def _aligned(old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[bool, slice, slice]]:
    """Parts of two lists, in order: whether they are equal, and where they are in each."""
    for tag, begin, end, start, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield tag == "equal", slice(begin, end), slice(start, stop)
