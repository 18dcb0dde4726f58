"""The weights of a network by their full names: those that its file holds, and those that a penalty acts on."""

from __future__ import annotations

from typing import Any

from dlrun.components.layers import WeightedLayer
from dlrun.language.component import Component
from dlrun.plan.names import matches
from dlrun.plan.network import Plan
from dlrun.plan.steps import Step
from dlrun.shapes import Shape


def expected(plan: Plan) -> dict[str, Shape]:
    """Every weight and buffer of the network by its full name."""
    found = {name: shape for name, shape, _ in plan.weights()}
    for step in plan.steps:
        if not step.shared:
            found |= {f"{step.name}.{name}": shape for name, shape in step.buffers.items()}
    return found


def penalties(plan: Plan, regularizers: tuple[Component, ...]) -> list[tuple[Any, list[str]]]:
    """Each regularizer of the spec with the full names of the weights that it acts on, layers' own included."""
    found: list[tuple[Any, list[str]]] = []
    for step in plan.steps:
        own = step.layer.regularizers if isinstance(step.layer, WeightedLayer) and not step.shared else ()
        for regularizer in own:
            found.append((regularizer, _penalized(regularizer, [(step.name, weight, step) for weight in step.weights])))
    for regularizer in regularizers:
        every = [(s.name, weight, s) for s in plan.steps if not s.shared for weight in s.weights]
        found.append((regularizer, _penalized(regularizer, every)))
    return found


def _penalized(regularizer: Any, weights: list[tuple[str, str, Step]]) -> list[str]:
    return [
        f"{layer}.{weight}"
        for layer, weight, step in weights
        if step.layer is not None
        and matches(f"{layer}.{weight}", regularizer.weights)
        and (regularizer.include_biases or step.layer.role(weight) != "bias")
        and (regularizer.include_scales or step.layer.role(weight) != "scale")
    ]
