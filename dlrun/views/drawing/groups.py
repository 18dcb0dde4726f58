"""The groups that a network is written in, and the repeats among them that can be drawn once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from dlrun.components.layers import Merging
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step
from dlrun.plan.wiring import Group
from dlrun.views.drawing.captions import caption

AUTOMATIC = re.compile(r"_[0-9]+$")


@dataclass(slots=True)
class DrawnGroup:
    """A part of the network: a block, a repeat, one of its turns, a residual, or the whole."""

    name: str
    title: str
    """The title of its frame; empty where no frame is drawn."""
    first: int
    last: int
    """The range of its steps, both included."""
    same_by: str = ""
    """Neighbours with the same text here are drawn as one if they are alike; empty for a group with a name."""
    turns: bool = False
    """Whether it is a repeat, made of turns."""
    children: list[DrawnGroup | int] = field(default_factory=list)
    times: int = 1
    """How many times it is repeated, one after the other; it is drawn once."""

    def groups(self) -> Iterator[DrawnGroup]:
        """The groups directly in it."""
        return (child for child in self.children if isinstance(child, DrawnGroup))


def group_tree(plan: Plan) -> DrawnGroup:
    """The groups of the plan, nested."""
    joins = {step.name for step in plan.steps if isinstance(step.layer, Merging)}
    root = DrawnGroup("", "", 0, len(plan.steps) - 1)
    around = [root]
    starting = deque(plan.groups)
    for index in range(len(plan.steps)):
        while around[-1].last < index:
            around.pop()
        while starting and starting[0].start == index:
            group = _group(starting.popleft(), around[-1], joins)
            around[-1].children.append(group)
            around.append(group)
        around[-1].children.append(index)
    _untitle_repeats(root)
    return root


def _group(group: Group, parent: DrawnGroup, joins: set[str]) -> DrawnGroup:
    automatic = group.label == group.kind or AUTOMATIC.sub("", group.label) == group.kind
    found = DrawnGroup(group.name, "", group.start, group.stop - 1)
    if group.kind == "branch":
        return found
    if group.label.isdigit():
        parent.turns = True
        found.same_by = "a turn"
    elif automatic and group.name not in joins:
        found.title = found.same_by = group.kind
    elif not automatic:
        found.title = group.label
    return found


def _untitle_repeats(group: DrawnGroup) -> None:
    """Remove the title of each repeat without a name of its own: its turns have frames."""
    pending = [group]
    while pending:
        group = pending.pop()
        if group.turns and group.same_by:
            group.title = ""
        pending += group.groups()


@dataclass(frozen=True, slots=True)
class Fold:
    """A range of steps that is repeated `times` times, one after the other."""

    first: int
    length: int
    times: int

    def turn(self, step: int) -> int | None:
        """Which turn a step is in; None if in none."""
        turn = (step - self.first) // self.length
        return turn if 0 <= turn < self.times else None


def fold_repeats(root: DrawnGroup, steps: tuple[Step, ...], with_weights: bool) -> list[Fold]:
    """Keep the first of neighbouring groups that are alike, in place; returns the folds, outermost first."""
    consumers: list[list[int]] = [[] for _ in steps]
    for index, step in enumerate(steps):
        for source in step.inputs:
            consumers[source].append(index)
    folds: list[Fold] = []
    pending = deque([root])
    while pending:
        group = pending.popleft()
        kept: list[DrawnGroup | int] = []
        at = 0
        while at < len(group.children):
            child = group.children[at]
            kept.append(child)
            at += 1
            if not isinstance(child, DrawnGroup) or not child.same_by:
                continue
            alike = _Alike(child, steps, consumers, with_weights)
            while at < len(group.children) and alike.takes(group.children[at]):
                at += 1
            if alike.times > 1:
                child.times = alike.times
                child.last = child.first + alike.length - 1
                folds.append(Fold(child.first, alike.length, alike.times))
        group.children = kept
        pending += group.groups()
    return folds


class _Alike:
    """A group, and how many of the groups after it repeat it, each on the output of the one before."""

    def __init__(self, group: DrawnGroup, steps: tuple[Step, ...], consumers: list[list[int]], with_weights: bool):
        self.group, self.steps, self.consumers, self.with_weights = group, steps, consumers, with_weights
        self.length = group.last - group.first + 1
        self.times = 1

    def takes(self, other: DrawnGroup | int) -> bool:
        if not isinstance(other, DrawnGroup) or other.same_by != self.group.same_by:
            return False
        start = self.group.first + self.times * self.length
        if other.first != start or other.last != start + self.length - 1:
            return False
        if not all(self._alike(offset, start) for offset in range(self.length)) or not self._chained(start):
            return False
        self.times += 1
        return True

    def _alike(self, offset: int, start: int) -> bool:
        a, b = self.steps[self.group.first + offset], self.steps[start + offset]
        same = caption(a) == caption(b) and a.output == b.output and len(a.inputs) == len(b.inputs)
        return same and (not self.with_weights or a.params == b.params)

    def _chained(self, start: int) -> bool:
        """Whether the turn at `start` is wired as the first is, on the last value of the turn before."""
        before, base = start - self.length, self.group.first
        entered: set[int] = set()
        for offset in range(self.length):
            pairs = zip(self.steps[base + offset].inputs, self.steps[start + offset].inputs, strict=True)
            for a, b in pairs:
                if b >= start:
                    if b - start != a - base:
                        return False
                elif b == start - 1:
                    entered.add(a)
                elif b >= before or a != b:
                    return False
        inside = range(before, start - 1)
        leaves = any(user >= start for step in inside for user in self.consumers[step])
        leaves |= any(user >= start + self.length for user in self.consumers[start - 1])
        return len(entered) == 1 and min(entered) < base and not leaves
