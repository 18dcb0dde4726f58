"""A plan as a table and as data: what `params` shows and every run keeps."""

from __future__ import annotations

from typing import Any

from dlrun.plan import Plan, PreprocessStep, Step
from dlrun.shapes import Shape, numel, product, readable, show

COLUMNS = ("layer", "kind", "output", "weights", "params", "multiply-adds")
NUMBERS = ("params", "multiply-adds")


def rows(plan: Plan) -> list[tuple[str, ...]]:
    """A row a step, preprocessing first; an empty row stands between sections."""
    front = [
        (p.name, p.step.kind, at_most(p), ", ".join(f"{k} {product(v)}" for k, v in p.fitted.items()), "fitted", "")
        for p in plan.preprocess
    ]
    return [*front, *([("",) * len(COLUMNS)] if front else []), *(_row(step, plan) for step in plan.steps)]


def _row(step: Step, plan: Plan) -> tuple[str, ...]:
    weights = ", ".join(f"{name} {product(shape)}" for name, shape in step.weights.items())
    count = f"{step.params:,}" if step.params else ""
    if step.shared and step.weights:
        count = "shared"
    elif step.params and all(f"{step.name}.{name}" in plan.frozen for name in step.weights):
        count += " frozen"
    return (step.name, step.kind, show(step.output), weights, count, f"{step.macs:,}" if step.macs else "")


def at_most(step: PreprocessStep) -> str:
    """The output's shape, marked where only fitting decides it."""
    return show(step.output) if step.exact else f"up to {show(step.output)}"


def totals(plan: Plan) -> list[str]:
    """What it adds up to, a line each."""
    few = "" if plan.exact else "up to "
    lines = [f"{few}{plan.total:,} weights: {plan.trainable:,} trainable, {plan.total - plan.trainable:,} frozen"]
    if plan.buffers:
        lines.append(f"{plan.buffers:,} buffers besides (moving statistics, not trained)")
    fitted = sum(numel(shape) for step in plan.preprocess for shape in step.fitted.values())
    if fitted:
        lines.append(f"{few}{fitted:,} numbers fitted by the preprocessing")
    lines.append(f"{few}{plan.macs:,} multiply-adds a sample ({readable(plan.macs)})")
    return lines


def explained(plan: Plan) -> list[tuple[str, list[str]]]:
    """Each step that has a formula, with its formulas."""
    found = [(f"{p.name}  {show(p.input)} -> {at_most(p)}", p.formula) for p in plan.preprocess]
    found += [(_arrow(step), step.formula) for step in plan.steps if step.inputs]
    return [(title, formula) for title, formula in found if formula]


def _arrow(step: Step) -> str:
    inputs = ", ".join(show(shape) for shape in step.input_shapes)
    return f"{step.name}  {inputs} -> {show(step.output)}"


def as_text(plan: Plan) -> str:
    """The table as plain text, for a file."""
    table = [COLUMNS, *(row for row in rows(plan) if any(row))]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, "", *totals(plan)]) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """Everything that the table shows, as JSON-ready data."""
    fitted = sum(numel(shape) for step in plan.preprocess for shape in step.fitted.values())
    return {
        "total": plan.total,
        "trainable": plan.trainable,
        "frozen": plan.total - plan.trainable,
        "buffers": plan.buffers,
        "macs": plan.macs,
        "exact": plan.exact,
        "input": list(plan.input),
        "output": list(plan.output),
        "sections": {
            "preprocess": {"fitted": fitted},
            "model": {"total": plan.total, "trainable": plan.trainable, "buffers": plan.buffers, "macs": plan.macs},
        },
        "layers": [*map(_front_data, plan.preprocess), *(_step_data(step, plan) for step in plan.steps if step.inputs)],
    }


def _front_data(step: PreprocessStep) -> dict[str, Any]:
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
        "formula": "; ".join(step.formula),
        "shared": False,
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
        "formula": "; ".join(step.formula),
        "shared": step.shared,
    }


def _lists(shapes: dict[str, Shape]) -> dict[str, list[int]]:
    return {name: list(shape) for name, shape in shapes.items()}
