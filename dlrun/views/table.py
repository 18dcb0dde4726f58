"""A plan as a table and as data: what `params` shows and every run keeps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from dlrun.plan.memory import FLOAT
from dlrun.plan.network import Plan, PreprocessStep, Step
from dlrun.shapes import Shape, numel, product, readable, readable_bytes, show
from dlrun.views.outline import Entry, fitting_depth, innermost, outline, unfold
from dlrun.views.receptive_field import field_data, receptive_fields, show_field
from dlrun.views.text_table import grid

COLUMNS = ("layer", "kind", "output", "weights", "params", "multiply-adds", "receptive field", "activations")
NUMBERS = ("params", "multiply-adds", "receptive field", "activations")
FORMULA = 32
"""The longest formula of weights in a table of groups; `--explain` shows the whole formula."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a layer, a group, or equal ones that are folded into one."""

    label: str
    kind: str
    output: str
    weights: str
    params: str
    macs: int = 0
    field: str = ""
    memory: int = 0
    """Bytes that the backward pass needs of it."""
    level: int = 0
    opened: bool = False
    """Whether its contents are in the lines below."""
    closed: bool = False
    """Whether its contents are not shown."""

    def cells(self, columns: Sequence[str], short: bool) -> tuple[str, ...]:
        """The row as texts; without a column of kinds, the kind follows a label that does not show it, in brackets."""
        kind = "" if "kind" in columns or self._kind_is_evident() else f" ({self.kind})"
        macs = (readable(self.macs) if short else f"{self.macs:,}") if self.macs else ""
        memory = readable_bytes(self.memory) if self.memory else ""
        label = "  " * self.level + self.label + kind
        cells = (label, self.kind, self.output, self.weights, self.params, macs, self.field, memory)
        return tuple(cell for name, cell in zip(COLUMNS, cells, strict=True) if name in columns)

    def _kind_is_evident(self) -> bool:
        return bool(re.fullmatch(rf"(.*[.: ])?{re.escape(self.kind)}(_[0-9-]+)?( x [0-9]+)?", self.label))


def rows(plan: Plan, batch: int = 1) -> list[Row]:
    """A row for each step, by its full name."""
    sums = _Sums(plan, batch)
    leaves = [Entry(step.name, step.kind, index, index + 1) for index, step in enumerate(plan.steps)]
    return [*_preprocess_rows(plan), *(sums.row(leaf, leaf.label) for leaf in leaves)]


def tree(plan: Plan, depth: int | None = None, batch: int = 1) -> list[Row]:
    """A row for each step or group, `depth` levels opened; by default as many as fit a screen."""
    entries = outline(plan)
    sums = _Sums(plan, batch)
    depth = fitting_depth(entries) if depth is None else depth
    shown = [sums.row(entry, entry.label, level, opened) for level, entry, opened in unfold(entries, depth)]
    return [*_preprocess_rows(plan), *shown]


def _preprocess_rows(plan: Plan) -> list[Row]:
    rows, counts = [], Counter[str]()
    for entry in plan.inputs:
        for one in entry.encoded:
            counts[one.step.kind] += 1
            name = f"preprocess.{one.step.kind}_{counts[one.step.kind]}"
            rows.append(Row(name, one.step.kind, show((one.width,)), "", "fitted"))
        for p in entry.preprocess:
            weights = " + ".join(product(shape) for shape in p.fitted.values())
            rows.append(Row(p.name, p.step.kind, _output(p), weights, "fitted" if p.fitted else ""))
    return rows


class _Sums:
    """Sums over ranges of steps."""

    def __init__(self, plan: Plan, batch: int):
        self.plan = plan
        self.batch = batch
        self.fields = receptive_fields(plan.steps)
        self.params = _running(step.params for step in plan.steps)
        self.macs = _running(step.macs for step in plan.steps)
        taken = [0] * len(plan.inputs)
        self.activations = _running([*taken, *(step.activations for step in plan.layers)])
        self.weighted = _running(bool(step.weights) for step in plan.steps)
        self.frozen = _running(self._is_frozen(step) for step in plan.steps)
        self.tied = _running(bool(step.tied) for step in plan.steps)
        self.shared = _running(step.shared and bool(step.weights) for step in plan.steps)

    def _is_frozen(self, step: Step) -> bool:
        return bool(step.weights) and all(f"{step.name}.{name}" in self.plan.frozen for name in step.weights)

    def row(self, entry: Entry, label: str, level: int = 0, opened: bool = False) -> Row:
        def total(sums: Sequence[int]) -> int:
            return sums[entry.stop] - sums[entry.start]

        params, weighted = total(self.params), total(self.weighted)
        count = f"{params:,}" if params else "tied" if total(self.tied) else ""
        if weighted and total(self.shared) == weighted:
            count = "shared"
        elif params and total(self.frozen) == weighted:
            count += " frozen"
        return Row(
            label + (f" x {entry.times}" if entry.times > 1 else ""),
            entry.kind if opened or not entry.inside else self._contents(entry),
            show(self.plan.steps[entry.stop - 1].output),
            self._formula(entry, params, opened),
            count,
            total(self.macs),
            show_field(self.fields[entry.stop - 1]),
            FLOAT * self.batch * total(self.activations),
            level,
            opened,
            bool(entry.inside) and not opened,
        )

    def _contents(self, entry: Entry) -> str:
        """The kinds in a closed group, where they are one or two."""
        kinds = [inner.kind for inner in entry.inside]
        plain = all(not inner.inside and inner.times == 1 for inner in entry.inside)
        return " + ".join(kinds) if plain and len(kinds) <= 2 else entry.kind

    def _formula(self, entry: Entry, params: int, opened: bool) -> str:
        """The formula of the number of weights."""
        if entry.times > 1:
            return f"{entry.times} x {params // entry.times:,}" if params else ""
        steps = [] if opened else [step for step in self.plan.steps[entry.start : entry.stop] if step.weights]
        if len(steps) != 1:
            return ""
        text = " + ".join(product(shape) for shape in steps[0].weights.values())
        return text if len(text) <= FORMULA else f"{text[: FORMULA - 2]} …"


def _running(numbers: Iterable[int]) -> list[int]:
    return [0, *accumulate(numbers)]


def _without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in COLUMNS if name not in names)


LAYOUTS = (
    (COLUMNS, False),
    (COLUMNS, True),
    (_without("kind"), True),
    (_without("weights"), False),
    (_without("weights"), True),
    (_without("weights", "kind"), True),
    (_without("weights", "kind", "activations"), True),
    (_without("weights", "kind", "activations", "receptive field"), True),
    (_without("weights", "kind", "activations", "receptive field", "multiply-adds"), True),
)
"""The columns, and whether multiply-adds are rounded: the first layout that fits is used."""


def fit_to_width(table: Sequence[Row], width: int) -> tuple[list[str], list[str]]:
    """The table's head, and a line for each row, with as many columns as fit."""
    found: tuple[list[str], list[str]] = ([], [])
    for columns, short in LAYOUTS:
        found = grid(columns, [row.cells(columns, short) for row in table], NUMBERS)
        if max(map(len, [*found[0], *found[1]])) <= width:
            break
    return found


def _output(step: PreprocessStep) -> str:
    """The output's shape, marked where only fitting decides it."""
    return show(step.output) if step.exact else f"up to {show(step.output)}"


def totals(plan: Plan, batch: int = 1) -> list[str]:
    """The totals, a line each."""
    few = "" if plan.exact else "up to "
    lines = [f"{few}{plan.total:,} weights: {plan.trainable:,} trainable, {plan.total - plan.trainable:,} frozen"]
    if plan.buffers:
        lines.append(f"{plan.buffers:,} buffers besides (moving statistics, not trained)")
    fitted = sum(numel(shape) for step in plan.preprocess for shape in step.fitted.values())
    if fitted:
        lines.append(f"{few}{fitted:,} numbers fitted by the preprocessing")
    lines.append(f"{few}{plan.macs:,} multiply-adds a sample ({readable(plan.macs)})")
    weights, activations = readable_bytes(FLOAT * (plan.total + plan.buffers)), activation_bytes(plan)
    each = f" ({readable_bytes(batch * activations)} at batch {batch})" if batch > 1 else ""
    lines.append(f"{few}{weights} of weights, {few}{readable_bytes(activations)} of activations a sample{each}")
    return lines


def activation_bytes(plan: Plan) -> int:
    """Bytes that one sample keeps in memory for the backward pass."""
    return FLOAT * sum(step.activations for step in plan.layers)


def formulas(plan: Plan) -> list[tuple[str, list[str]]]:
    """Each step that has a formula, with its formulas."""
    found = [(f"{p.name}  {show(p.input)} -> {_output(p)}", p.formula) for p in plan.preprocess]
    found += [(_arrow(step), step.formula) for step in plan.steps if step.inputs]
    return [(title, formula) for title, formula in found if formula]


def _arrow(step: Step) -> str:
    inputs = ", ".join(show(shape) for shape in step.input_shapes)
    return f"{step.name}  {inputs} -> {show(step.output)}"


def as_text(plan: Plan) -> str:
    """The table as plain text, for a file."""
    head, lines = grid(COLUMNS, [row.cells(COLUMNS, short=False) for row in rows(plan)], NUMBERS)
    return "\n".join([*head, *lines, "", *totals(plan)]) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """Everything that the table shows, as JSON-ready data."""
    fitted = sum(numel(shape) for step in plan.preprocess for shape in step.fitted.values())
    fields, groups = receptive_fields(plan.steps), innermost(plan)
    steps = [
        _step_data(step, plan) | {"receptive_field": field_data(field), "group": group}
        for step, field, group in zip(plan.steps, fields, groups, strict=True)
        if step.inputs
    ]
    return {
        "total": plan.total,
        "trainable": plan.trainable,
        "frozen": plan.total - plan.trainable,
        "buffers": plan.buffers,
        "macs": plan.macs,
        "exact": plan.exact,
        "inputs": _lists(plan.input_shapes),
        "outputs": _lists(plan.output_shapes),
        "sections": {
            "preprocess": {"fitted": fitted},
            "model": {"total": plan.total, "trainable": plan.trainable, "buffers": plan.buffers, "macs": plan.macs},
        },
        "layers": [*map(_preprocess_data, plan.preprocess), *steps],
    }


def _preprocess_data(step: PreprocessStep) -> dict[str, Any]:
    return {
        "name": step.name,
        "kind": step.step.kind,
        "line": step.place.line if step.place else None,
        "input": list(step.input),
        "output": list(step.output),
        "exact": step.exact,
        "weights": {},
        "buffers": _lists(step.fitted),
        "params": 0,
        "trainable": 0,
        "macs": 0,
        "activations": 0,
        "formula": "; ".join(step.formula),
        "shared": False,
        "receptive_field": None,
        "group": None,
    }


def _step_data(step: Step, plan: Plan) -> dict[str, Any]:
    own = {} if step.shared else step.weights
    return {
        "name": step.name,
        "kind": step.kind,
        "line": step.place.line if step.place else None,
        "input": list(step.input_shapes[0]) if len(step.input_shapes) == 1 else [list(s) for s in step.input_shapes],
        "output": list(step.output),
        "exact": plan.exact,
        "weights": _lists(step.weights),
        "buffers": _lists(step.buffers),
        "params": step.params,
        "trainable": sum(numel(shape) for name, shape in own.items() if f"{step.name}.{name}" not in plan.frozen),
        "macs": step.macs,
        "activations": step.activations,
        "formula": "; ".join(step.formula),
        "shared": step.shared,
    }


def _lists(shapes: dict[str, Shape]) -> dict[str, list[int]]:
    return {name: list(shape) for name, shape in shapes.items()}
