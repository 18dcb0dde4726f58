"""Plan -> Picture: boxes, frames around them, and edges. What is drawn, not where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dlrun.plan.network import Plan
from dlrun.plan.steps import Step
from dlrun.views.drawing.captions import FOLDED, Style, caption, full_text, show_shape, style_of, weights_line
from dlrun.views.drawing.groups import DrawnGroup, Fold, fold_repeats, group_tree


@dataclass(slots=True, eq=False)
class Box:
    """A layer, with the norm, activation or dropout that follows it; or a whole group as one box."""

    id: str
    lines: list[tuple[str, Style]]
    """The text and the style of each line."""
    steps: list[int] = field(default_factory=list)
    """The plan's steps that it stands for; those of folded turns too."""
    shape: str = ""
    """The output's shape, where it differs from the input's."""
    times: int = 1
    """How many times it is repeated, one after the other."""
    details: list[str] = field(default_factory=list)
    """Name, shapes and weights of each step, a line each."""

    @property
    def style(self) -> Style:
        """The style of the box: that of its first line."""
        return self.lines[0][1]

    def text(self) -> list[str]:
        """All its text, for formats in which a line has no style of its own."""
        return [text for text, _ in self.lines] + ([f"× {self.times}"] if self.times > 1 else [])


@dataclass(slots=True, eq=False)
class Frame:
    """A labelled frame around boxes and frames; the picture's own has no label."""

    id: str
    title: str
    children: list[Box | Frame] = field(default_factory=list)

    def boxes(self) -> Iterator[Box]:
        """All boxes in it, however deep, in order of computation."""
        pending: list[Box | Frame] = [self]
        while pending:
            item = pending.pop()
            if isinstance(item, Box):
                yield item
            else:
                pending += reversed(item.children)


@dataclass(frozen=True, slots=True)
class Edge:
    """A value that goes from one box to another, by their ids."""

    source: str
    target: str


@dataclass(slots=True)
class Picture:
    """The network as boxes, frames and edges."""

    name: str
    root: Frame
    edges: list[Edge]

    def boxes(self) -> dict[str, Box]:
        """Every box by its id, in order of computation."""
        return {box.id: box for box in self.root.boxes()}


def picture(plan: Plan, name: str, depth: int | None = None, with_weights: bool = False) -> Picture:
    """Turn a plan into a picture.

    Args:
        plan: the network.
        name: the title.
        depth: how deep frames may lie in each other; deeper groups are one box. None draws everything.
        with_weights: write how many weights each box has.
    """
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return _Painter(plan, printable, depth, with_weights).picture()


class _Painter:
    def __init__(self, plan: Plan, name: str, depth: int | None, with_weights: bool):
        self.steps, self.name, self.depth, self.with_weights = plan.steps, name, depth, with_weights
        self.outputs = plan.outputs
        self.tree = group_tree(plan)
        self.folds = fold_repeats(self.tree, plan.steps, with_weights)
        self.pairs = _edges_once(plan.steps, self.folds)
        self.consumers: dict[int, set[int]] = {}
        for source, target in self.pairs:
            self.consumers.setdefault(source, set()).add(target)
        for index in plan.outputs.values():  # an output ends its box: the layer after it changes the value
            self.consumers.setdefault(representative(index, self.folds), set()).add(len(plan.steps))
        self.box_of: dict[int, Box] = {}
        self.frames = 0
        self.turn_of: dict[Box, range] = {}
        """The steps that a box stands for, without those of folded turns."""

    def picture(self) -> Picture:
        root = Frame("picture", "")
        self._fill(self.tree, root, 0)
        self._count_turns()
        self._finish_lines()
        edges = dict.fromkeys(
            Edge(self.box_of[source].id, self.box_of[target].id)
            for source, target in self.pairs
            if self.box_of[source] is not self.box_of[target]
        )
        for number, (name, index) in enumerate(self.outputs.items()):
            output = Box("output" if len(self.outputs) == 1 else f"output{number}", [(name, "ends")])
            root.children.append(output)
            edges[Edge(self.box_of[representative(index, self.folds)].id, output.id)] = None
        return Picture(self.name, root, list(edges))

    def _fill(self, group: DrawnGroup, frame: Frame, depth: int) -> None:
        for child in group.children:
            if isinstance(child, int):
                self._add_layer(child, frame)
                continue
            child = _unwrapped(child)
            title = child.title if child.times == 1 else f"{child.title} × {child.times}".strip()
            if not title or (child.times == 1 and self._is_one_box(child)):
                self._fill(child, frame, depth)
            elif self.depth is not None and depth >= self.depth:
                self._add_closed(child, frame)
            else:
                self.frames += 1
                inner = Frame(f"g{self.frames}", title)
                self._fill(child, inner, depth + 1)
                if len(inner.children) == 1 and isinstance(box := inner.children[0], Box):
                    box.times = child.times
                    frame.children.append(box)
                else:
                    frame.children.append(inner)

    def _is_one_box(self, group: DrawnGroup) -> bool:
        """Whether it is one layer, with the layers that are drawn in the same box."""
        inside = group.children
        while len(inside) == 1 and isinstance(only := inside[0], DrawnGroup) and only.times == 1:
            inside = only.children
        first, *rest = inside
        return isinstance(first, int) and all(
            isinstance(step, int) and style_of(self.steps[step]) in FOLDED for step in rest
        )

    def _add_layer(self, index: int, frame: Frame) -> None:
        step = self.steps[index]
        style = style_of(step)
        line = (caption(step), style)
        before = self.box_of.get(step.inputs[0]) if len(step.inputs) == 1 else None
        if (
            before is not None
            and style in FOLDED
            and step.output == step.input_shapes[0]
            and self.consumers[step.inputs[0]] == {index}
            and before.style not in ("ends", "group")
            and frame.children[-1:] == [before]
            and before.times == 1
            and before.steps[-1] == step.inputs[0]
        ):
            before.lines.append(line)
            before.steps.append(index)
            self.box_of[index] = before
            return
        box = Box(f"b{index}", [line], [index])
        if step.layer is None or step.input_shapes[:1] != (step.output,):
            box.shape = show_shape(step.output)
        frame.children.append(box)
        self.box_of[index] = box

    def _add_closed(self, group: DrawnGroup, frame: Frame) -> None:
        """Add a group as one box."""
        inside = _steps_in(group)
        count = group.last - group.first + 1
        lines: list[tuple[str, Style]] = [(group.title or "repeat", "group")]
        lines.append((f"{count} layers" if count > 1 else "1 layer", "group"))
        box = Box(f"b{inside[0]}", lines, inside, times=group.times)
        first, last = self.steps[group.first], self.steps[group.last]
        if first.input_shapes[:1] != (last.output,):
            box.shape = show_shape(last.output)
        frame.children.append(box)
        self.turn_of[box] = range(group.first, group.last + 1)
        self.box_of.update(dict.fromkeys(inside, box))

    def _count_turns(self) -> None:
        """Give the steps of folded turns to the boxes that stand for them."""
        for index in range(len(self.steps)):
            stands = representative(index, self.folds)
            if stands != index:
                self.box_of[stands].steps.append(index)

    def _finish_lines(self) -> None:
        for box in dict.fromkeys(self.box_of.values()):
            box.steps.sort()
            box.details = [full_text(self.steps[index]) for index in box.steps]
            if self.with_weights and (line := self._weights(box)):
                box.lines.append((line, box.style))

    def _weights(self, box: Box) -> str:
        turn = self.turn_of.get(box) or [i for i in box.steps if representative(i, self.folds) == i]
        count = sum(self.steps[index].params for index in turn)
        return weights_line(count) if count else ""


def _unwrapped(group: DrawnGroup) -> DrawnGroup:
    """Without the frames that would hold one frame and nothing else; the outermost title stays."""
    title, times = group.title, group.times
    while len(group.children) == 1 and isinstance(inner := group.children[0], DrawnGroup):
        if inner.times > 1 and (times > 1 or (title and inner.title)):
            break
        title, times, group = title or inner.title, max(times, inner.times), inner
    return DrawnGroup(group.name, title, group.first, group.last, group.same_by, group.turns, group.children, times)


def _steps_in(group: DrawnGroup) -> list[int]:
    found: list[int] = []
    pending: list[DrawnGroup | int] = [group]
    while pending:
        item = pending.pop()
        if isinstance(item, int):
            found.append(item)
        else:
            pending += reversed(item.children)
    return found


def representative(step: int, folds: list[Fold]) -> int:
    """The step that is drawn in place of this one."""
    for fold in folds:
        turn = fold.turn(step)
        if turn:
            step -= turn * fold.length
    return step


def _edges_once(steps: tuple[Step, ...], folds: list[Fold]) -> list[tuple[int, int]]:
    """Every edge between steps that are drawn; those from one turn to the next are left out, `× 3` stands for them."""
    found: dict[tuple[int, int], None] = {}
    for index, step in enumerate(steps):
        for source in step.inputs:
            pair = _drawn_edge(source, index, folds)
            if pair:
                found[pair] = None
    return list(found)


def _drawn_edge(source: int, target: int, folds: list[Fold]) -> tuple[int, int] | None:
    for fold in folds:
        a, b = fold.turn(source), fold.turn(target)
        if a is not None and b is not None and a != b:
            return None
        source -= (a or 0) * fold.length
        target -= (b or 0) * fold.length
    return source, target
