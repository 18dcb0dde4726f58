"""The weights of a network by their full names: those that its file holds, and those that a component acts on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.components.layers import WeightedLayer
from dlrun.components.regularizers import WeightRegularizer
from dlrun.language.component import Component
from dlrun.language.kinds import kinds
from dlrun.language.weight_choice import WeightChoice
from dlrun.plan.names import is_named, matches
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


def acting(plan: Plan, setting: str, components: tuple[Component, ...]) -> list[tuple[Any, list[str], Step | None]]:
    """Each component that acts on weights, with their full names, and the layer whose own it is, if it is one's.

    Those of the section come first.

    Args:
        plan: the network.
        setting: the setting of a layer that has its own, such as `regularizers`.
        components: those of the section of that name, which act on all layers.
    """
    every = [(step.name, weight, step) for step in plan.steps if not step.shared for weight in step.weights]
    of_section = (component for component in components if _acts_on_weights(component))
    found: list[tuple[Any, list[str], Step | None]] = [(one, _chosen(one, every), None) for one in of_section]
    for step in plan.steps:
        own = getattr(step.layer, setting) if isinstance(step.layer, WeightedLayer) and not step.shared else ()
        names = [(step.name, weight, step) for weight in step.weights]
        found += [(component, _chosen(component, names), step) for component in own if _acts_on_weights(component)]
    return found


def _acts_on_weights(component: Component) -> bool:
    of_outputs = isinstance(component, WeightRegularizer) and component.layer_outputs is not None
    return isinstance(component, WeightChoice) and not of_outputs


def _chosen(choice: Any, weights: list[tuple[str, str, Step]]) -> list[str]:
    return [
        f"{layer}.{weight}"
        for layer, weight, step in weights
        if step.layer is not None
        and matches(f"{layer}.{weight}", choice.weights)
        and (choice.include_biases or step.layer.role(weight) != "bias")
        and (choice.include_scales or step.layer.role(weight) != "scale")
        and choice.suits(step.weights[weight])
    ]


def penalized_values(plan: Plan, regularizers: tuple[Component, ...]) -> list[tuple[Any, list[int]]]:
    """Each regularizer of the outputs of layers, with the steps whose values it penalizes."""
    found: list[tuple[Any, list[int]]] = []
    moving = _steps_that_training_changes(plan)
    for regularizer in regularizers:
        if isinstance(regularizer, WeightRegularizer) and regularizer.layer_outputs is not None:
            named = [steps for name, steps in plan.values.items() if is_named(name, regularizer.layer_outputs)]
            found.append((regularizer, sorted({step for steps in named for step in steps} & moving)))
    return found


def _steps_that_training_changes(plan: Plan) -> set[int]:
    """The steps whose values depend on a trained weight."""
    moving: set[int] = set()
    for index, step in enumerate(plan.steps):
        if step.computed_with - plan.frozen or moving.intersection(step.inputs):
            moving.add(index)
    return moving


def fitting_init(step: Step, weight: str, shape: Shape, entries: Mapping[str, Any]) -> str | None:
    """The first key of `model.init` whose initializer fills a weight: by the kind of its layer, or by a pattern."""
    return next((key for key in entries if is_meant(key, step, weight) and entries[key].suits(shape)), None)


def is_meant(key: str, step: Step, weight: str) -> bool:
    """Whether a key of `model.init` means a weight."""
    return key == step.kind if key in kinds("layers") else matches(f"{step.name}.{weight}", key)
