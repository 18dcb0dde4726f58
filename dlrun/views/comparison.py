"""Several networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlrun.plan.memory import FLOAT
from dlrun.plan.network import Plan
from dlrun.shapes import readable_bytes, show_named
from dlrun.views.receptive_field import Field, field_data, receptive_fields, sees_all, show_field
from dlrun.views.table import activation_bytes
from dlrun.views.text_table import grid


def depth(plan: Plan) -> int:
    """How many layers with weights are on the longest path from the input to the output.

    Scales and biases do not count: a ResNet-50's 50 layers are its convolutions and its linear layer.
    """
    longest: list[int] = []
    for step in plan.steps:
        layer = step.layer
        has_weight = layer is not None and any(layer.role(name) == "weight" for name in (*step.weights, *step.tied))
        longest.append(max((longest[index] for index in step.inputs), default=0) + has_weight)
    return max(longest[index] for index in plan.outputs.values())


def as_data(plan: Plan) -> dict[str, Any]:
    """A network's values, as JSON-ready data; the receptive field is the last that is not the whole input."""
    field = _last_field(plan)
    return {
        "inputs": {name: list(shape) for name, shape in plan.input_shapes.items()},
        "outputs": {name: list(shape) for name, shape in plan.output_shapes.items()},
        "exact": plan.exact,
        "total": plan.total,
        "trainable": plan.trainable,
        "macs": plan.macs,
        "depth": depth(plan),
        "weight_bytes": FLOAT * (plan.total + plan.buffers),
        "activation_bytes": activation_bytes(plan),
        "receptive_field": field_data(field) if field else None,
    }


def _last_field(plan: Plan) -> Field | None:
    fields = [field for field in receptive_fields(plan.steps)[len(plan.inputs) :] if not sees_all(field)]
    return fields[-1] if fields else None


def as_texts(plan: Plan) -> dict[str, str]:
    """The same as text, by the name of each value."""
    few = "" if plan.exact else "up to "
    field, end = _last_field(plan), receptive_fields(plan.steps)[-1]
    seen = show_field(field) + (", then all" if sees_all(end) else "") if field else "all"
    return {
        "input": show_named(plan.input_shapes),
        "output": show_named(plan.output_shapes),
        "weights": f"{few}{plan.total:,}",
        "trainable": f"{few}{plan.trainable:,}",
        "multiply-adds": f"{few}{plan.macs:,}",
        "depth in layers with weights": str(depth(plan)),
        "memory of weights": readable_bytes(FLOAT * (plan.total + plan.buffers)),
        "memory of activations": readable_bytes(activation_bytes(plan)),
        "receptive field": seen,
    }


def tables(names: Sequence[str], plans: Sequence[Plan], width: int) -> list[tuple[list[str], list[str]]]:
    """Heads and lines: a row for each value, a column for each network; several tables where one is too wide."""
    networks = [(name, as_texts(plan)) for name, plan in zip(names, plans, strict=True)]
    found = []
    while networks:
        some = len(networks)
        while some > 1 and _widest(_table(networks[:some])) > width:
            some -= 1
        found.append(_table(networks[:some]))
        networks = networks[some:]
    return found


def _table(networks: Sequence[tuple[str, dict[str, str]]]) -> tuple[list[str], list[str]]:
    names = [name for name, _ in networks]
    rows = [(value, *(texts[value] for _, texts in networks)) for value in networks[0][1]]
    return grid(("", *names), rows, names)


def _widest(table: tuple[list[str], list[str]]) -> int:
    return max(map(len, [*table[0], *table[1]]))
