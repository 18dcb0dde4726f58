"""A plan as a tree: groups with their contents, equal neighbours folded into one."""

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
"""The most rows that are shown by default, unless the outermost level alone has more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A step, or steps that belong together."""

    label: str
    """Its name within the entry around it."""
    kind: str
    start: int
    """Its first step."""
    stop: int
    """The step after its last."""
    inside: tuple[Entry, ...] = ()
    """Its contents; of folded entries, the contents of the first."""
    times: int = 1
    """How many equal ones are folded into this."""
    alike: int | None = None
    """Groups with the same number here are equal; None for a step by itself."""


def outline(plan: Plan) -> tuple[Entry, ...]:
    """The outermost entries, in order of computation."""
    return _Outline(plan).entries(0, len(plan.steps))


class _Outline:
    def __init__(self, plan: Plan):
        self.steps = plan.steps
        self.frozen = plan.frozen
        self.groups = list(reversed(plan.groups))
        self.groups_end = 0
        """The step after the group that was read last."""
        self.numbers: dict[Any, int] = {}

    def entries(self, start: int, stop: int) -> tuple[Entry, ...]:
        """The entries between two steps; equal neighbours are folded."""
        found: list[Entry] = []
        while start < stop:
            if self.groups and self.groups[-1].start == start and self.groups[-1].stop <= stop:
                found += self.group(self.groups.pop())
                start = self.groups_end
            else:
                found.append(self.step(start))
                start += 1
        return tuple(_folded(found))

    def step(self, index: int) -> Entry:
        step = self.steps[index]
        return Entry(step.name.rpartition(".")[2], step.kind, index, index + 1)

    def group(self, group: Group) -> list[Entry]:
        last = self.steps[group.stop - 1]
        joins = isinstance(last.layer, Merging) and last.name == group.name and group.kind == last.kind
        inside = self.entries(group.start, group.stop - joins)
        self.groups_end = group.stop
        if group.kind == "use" and len(inside) == 1:
            return list(inside)
        whole = Entry(group.label, group.kind, group.start, group.stop, inside)
        whole = replace(whole, alike=self.number(whole))
        if len(inside) != 1 or joins:
            return [whole]
        only = inside[0]
        if only.times == 1:  # a group of one entry has the names of both
            mark = ": " if group.kind == "branch" else "."
            return [replace(only, label=f"{group.label}{mark}{only.label}", alike=whole.alike)]
        if group.kind != "repeat":
            return [whole]
        kind = group.kind if only.kind == "turn" else only.kind
        return [replace(only, label=group.label, kind=kind, alike=whole.alike)]

    def number(self, entry: Entry) -> int:
        """The same number for groups that differ in their names alone."""
        own = tuple(self.fingerprint(index, entry.start) for index in _own_steps(entry))
        key = (entry.kind, own, tuple((inner.alike, inner.times) for inner in entry.inside if inner.alike is not None))
        return self.numbers.setdefault(key, len(self.numbers))

    def fingerprint(self, index: int, start: int) -> Any:
        step = self.steps[index]
        inputs = tuple(each - start if each >= start - 1 else None for each in step.inputs)
        frozen = tuple(f"{step.name}.{name}" in self.frozen for name in step.weights)
        settings = "" if isinstance(step.layer, Merging) else _settings(step)
        return (step.kind, settings, inputs, step.input_shapes, step.output, step.shared, frozen)


def _own_steps(entry: Entry) -> Iterator[int]:
    """The steps of a group that are in no numbered group inside it."""
    at = entry.start
    for inner in entry.inside:
        if inner.alike is not None:
            yield from range(at, inner.start)
            at = inner.stop
    yield from range(at, entry.stop)


def _settings(step: Step) -> str:
    return repr([(name, value) for name, value in vars(step.layer).items() if name != "name"])


def _folded(entries: Iterable[Entry]) -> Iterator[Entry]:
    for alike, equal in groupby(entries, key=lambda entry: None if entry.times > 1 else entry.alike):
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


def unfold(entries: Iterable[Entry], depth: int, level: int = 0) -> Iterator[tuple[int, Entry, bool]]:
    """Each entry with its level and whether it is opened, down to `depth` levels."""
    for entry in entries:
        opened = bool(entry.inside) and depth > 0
        yield level, entry, opened
        if opened:
            yield from unfold(entry.inside, depth - 1, level + 1)


def levels(entries: Iterable[Entry]) -> int:
    """How many levels there are to open."""
    return max((1 + levels(entry.inside) for entry in entries if entry.inside), default=0)


def fitting_depth(entries: tuple[Entry, ...]) -> int:
    """How many levels can be opened before there are too many rows."""
    deepest = levels(entries)
    for depth in range(deepest, 0, -1):
        if sum(1 for _ in unfold(entries, depth)) <= MOST_ROWS:
            return depth
    return 0


def innermost(plan: Plan) -> list[str | None]:
    """For each step the full name of the innermost group that it is in; None outside of all groups."""
    found: list[str | None] = [None] * len(plan.steps)
    for group in plan.groups:  # the inner after the outer
        found[group.start : group.stop] = [group.name] * (group.stop - group.start)
    return found
