"""A value of a document and where it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dlrun.errors import Place, Source, SpecPath


@dataclass(slots=True, eq=False)
class Node:
    """A value and where it was written. Never changed once its document is read."""

    value: Any
    """None, bool, int, float, str, a list of Node, or a dict from str to Node."""
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    """For a mapping: the place of each key."""
    size: int = 1
    """How many nodes this one has with all below it, aliases expanded."""
    origin: Source | None = None
    """The text that has the value where a name stands for it; None: the place's own."""

    @property
    def written_in(self) -> Source:
        """The text that has the value."""
        return self.origin or self.place.source

    def plain(self) -> Any:
        """The value without places; lists become tuples, because what is read is never changed."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return tuple(node.plain() for node in self.value)
        return self.value

    def locate(self, path: SpecPath, at_key: bool = False) -> Place:
        """The place of the value at `path`, or of its key; the nearest place that was written if there is none.

        The name of a main setting may be left out (``dropout: 0.5``), so a step that was not written is skipped.
        """
        node, place = self, self.place
        for step in path:
            if isinstance(step, str) and isinstance(node.value, dict):
                if step not in node.value:
                    break
                place = node.keys[step] if at_key else node.value[step].place
                place = node.keys[step] if _is_empty(node.value[step]) else place
                node = node.value[step]
            elif isinstance(step, int) and isinstance(node.value, list) and step < len(node.value):
                node = node.value[step]
                place = node.place
        return place

    def value_at(self, path: SpecPath) -> Any:
        """The value at `path`, found as `locate` finds its place; None where nothing was written."""
        node = self.node_at(path)
        return node.value if node is not None else None

    def node_at(self, path: SpecPath) -> Node | None:
        """The node at `path`, found as `locate` finds its place; None where nothing was written."""
        node = self
        for step in path:
            if isinstance(step, str) and isinstance(node.value, dict):
                if step not in node.value:
                    return None
                node = node.value[step]
            elif isinstance(step, int) and isinstance(node.value, list) and step < len(node.value):
                node = node.value[step]
        return node


def _is_empty(node: Node) -> bool:
    return node.value is None and node.place.length == 0
