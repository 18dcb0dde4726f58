"""A plan as a tree: groups with what they hold, equal neighbours folded into one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from dlrun.components.layers import Merging
from dlrun.plan.network import Plan
from dlrun.plan.steps import Group, Step

MOST_ROWS = 40
"""As many rows are shown where nobody says how deep to go, unless there are more on the outermost level."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step, or steps that lie together."""

    label: str
    """Its name within the node around it."""
    kind: str
    start: int
    """Its first step."""
    stop: int
    """The step after its last."""
    inside: tuple[Node, ...] = ()
    """What it is made of; of folded nodes, what the first is made of."""
    times: int = 1
    """How many equal ones are folded into this."""
    alike: int | None = None
    """Groups with the same number here are equal; None for a step by itself."""


def outline(plan: Plan) -> tuple[Node, ...]:
    """The outermost nodes, in order of computation."""
    return _Outline(plan).nodes(0, len(plan.steps))


class _Outline:
    def __init__(self, plan: Plan):
        self.steps = plan.steps
        self.frozen = plan.frozen
        self.groups = list(reversed(plan.groups))
        self.groups_end = 0
        """The step after the group that was read last."""
        self.numbers: dict[Any, int] = {}

    def nodes(self, start: int, stop: int) -> tuple[Node, ...]:
        """What lies between two steps; equal neighbours folded."""
        found: list[Node] = []
        while start < stop:
            if self.groups and self.groups[-1].start == start and self.groups[-1].stop <= stop:
                found += self.group(self.groups.pop())
                start = self.groups_end
            else:
                found.append(self.step(start))
                start += 1
        return tuple(_folded(found))

    def step(self, index: int) -> Node:
        step = self.steps[index]
        return Node(step.name.rpartition(".")[2], step.kind, index, index + 1)

    def group(self, group: Group) -> list[Node]:
        last = self.steps[group.stop - 1]
        joins = isinstance(last.layer, Merging) and last.name == group.name and group.kind == last.kind
        inside = self.nodes(group.start, group.stop - joins)
        self.groups_end = group.stop
        if group.kind == "use" and len(inside) == 1:
            return list(inside)
        whole = Node(group.label, group.kind, group.start, group.stop, inside)
        whole = replace(whole, alike=self.number(whole))
        if len(inside) != 1 or joins:
            return [whole]
        only = inside[0]
        if only.times == 1:  # a group of one is called after both
            mark = ": " if group.kind == "branch" else "."
            return [replace(only, label=f"{group.label}{mark}{only.label}", alike=whole.alike)]
        if group.kind != "repeat":
            return [whole]
        kind = group.kind if only.kind == "turn" else only.kind
        return [replace(only, label=group.label, kind=kind, alike=whole.alike)]

    def number(self, node: Node) -> int:
        """The same number for groups that cannot be told apart but by their names."""
        own = tuple(self.fingerprint(index, node.start) for index in _own_steps(node))
        key = (node.kind, own, tuple((inner.alike, inner.times) for inner in node.inside if inner.alike is not None))
        return self.numbers.setdefault(key, len(self.numbers))

    def fingerprint(self, index: int, start: int) -> Any:
        step = self.steps[index]
        inputs = tuple(each - start if each >= start - 1 else None for each in step.inputs)
        frozen = tuple(f"{step.name}.{name}" in self.frozen for name in step.weights)
        settings = "" if isinstance(step.layer, Merging) else _settings(step)
        return (step.kind, settings, inputs, step.input_shapes, step.output, step.shared, frozen)


def _own_steps(node: Node) -> Iterator[int]:
    """The steps of a group that lie in no group inside it that is known by a number."""
    at = node.start
    for inner in node.inside:
        if inner.alike is not None:
            yield from range(at, inner.start)
            at = inner.stop
    yield from range(at, node.stop)


def _settings(step: Step) -> str:
    return repr([(name, value) for name, value in vars(step.layer).items() if name != "name"])


def _folded(nodes: Iterable[Node]) -> Iterator[Node]:
    for alike, equal in groupby(nodes, key=lambda node: None if node.times > 1 else node.alike):
        first, *more = equal
        if alike is None or not more:
            yield from (first, *more)
        else:
            label = _range(first.label, more[-1].label)
            yield replace(first, label=label, stop=more[-1].stop, times=1 + len(more))


def _range(first: str, last: str) -> str:
    """``unit_2-4`` for unit_2 to unit_4."""
    one, other = re.split(r"(\d+)", first), re.split(r"(\d+)", last)
    if one[::2] != other[::2]:
        return f"{first} to {last}"
    return "".join(a if a == b else f"{a}-{b}" for a, b in zip(one, other, strict=True))


def unfold(nodes: Iterable[Node], depth: int, level: int = 0) -> Iterator[tuple[int, Node, bool]]:
    """Each node with its level and whether it is opened, as many levels deep as asked."""
    for node in nodes:
        opened = bool(node.inside) and depth > 0
        yield level, node, opened
        if opened:
            yield from unfold(node.inside, depth - 1, level + 1)


def levels(nodes: Iterable[Node]) -> int:
    """How many levels there are to open."""
    return max((1 + levels(node.inside) for node in nodes if node.inside), default=0)


def fitting_depth(nodes: tuple[Node, ...]) -> int:
    """How many levels can be opened before there are too many rows."""
    deepest = levels(nodes)
    for depth in range(deepest, 0, -1):
        if sum(1 for _ in unfold(nodes, depth)) <= MOST_ROWS:
            return depth
    return 0


def innermost(plan: Plan) -> list[str | None]:
    """For each step the container that it lies in directly, by its full name; None outside of all."""
    found: list[str | None] = [None] * len(plan.steps)
    for group in plan.groups:  # the inner after the outer
        found[group.start : group.stop] = [group.name] * (group.stop - group.start)
    return found
