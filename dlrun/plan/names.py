"""Names of layers and weights: which are visible from where, which are reserved, which match a pattern."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field

from dlrun.components.layers import Layer
from dlrun.errors import Place


@dataclass(slots=True)
class Scope:
    """The names inside one container."""

    prefix: str
    parent: Scope | None
    named: dict[str, tuple[int, Layer | None, Place]] = field(default_factory=dict)
    """Given names: the value, the layer and the place of each; an input has no layer."""
    given: frozenset[str] = frozenset()
    """The names that layers in it are given, earlier or later; automatic names are others."""
    counts: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> tuple[int, Layer | None, str] | None:
        """The value, the layer and the full name of the nearest thing with this name, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.named:
                value, layer, _ = scope.named[name]
                return value, layer, f"{scope.prefix}{name}"
            scope = scope.parent
        return None

    def known(self) -> list[str]:
        """Every name that is visible from here."""
        return [*self.named, *(self.parent.known() if self.parent else ())]


def around(layer: str) -> list[str]:
    """The names of the layers that a layer lies in, and its own: `trunk`, `trunk.linear_1`."""
    parts = layer.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def is_named(name: str, pattern: str) -> bool:
    """Whether a pattern is the name of something, such as a layer."""
    return fnmatch.fnmatchcase(name, pattern)


def matches(weight: str, pattern: str) -> bool:
    """Whether a pattern names a weight: by its full name, or by a layer that it lies in."""
    return fnmatch.fnmatchcase(weight, pattern) or fnmatch.fnmatchcase(weight, f"{pattern}.*")
