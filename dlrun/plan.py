"""Experiment -> Plan: every layer with its shapes, weights, cost and place. Plain arithmetic; no torch."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dlrun.components.layers import count_formula
from dlrun.components.preprocess import Preprocess
from dlrun.components.sources import Facts
from dlrun.errors import Place, Problem, SpecError
from dlrun.layout import Layout
from dlrun.shapes import Shape, ShapeError, numel, show
from dlrun.spec.component import Component
from dlrun.steps import Group, Step


@dataclass(frozen=True, slots=True, eq=False)
class PreprocessStep:
    """One fitted step in front of the network."""

    name: str
    step: Preprocess
    input: Shape
    output: Shape
    fitted: dict[str, Shape]
    """What it learns from the training rows."""
    exact: bool
    """False where the output's size is known only once fitted; `output` is then the largest it can be."""
    place: Place | None

    @property
    def formula(self) -> list[str]:
        """Where the step's numbers come from."""
        return [*self.step.formulas(self.input, self.output), *count_formula(self.fitted)]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The whole network, worked out."""

    preprocess: tuple[PreprocessStep, ...]
    raw: Shape
    """One row as the data has it; the network's input where there is no data."""
    steps: tuple[Step, ...]
    frozen: frozenset[str]
    """Full names of weights that are not trained."""
    groups: tuple[Group, ...] = ()
    """Which steps lie together, in the order in which the groups begin, the outer before the inner."""

    @property
    def input(self) -> Shape:
        """What the network takes."""
        return self.steps[0].output

    @property
    def output(self) -> Shape:
        """What the network gives."""
        return self.steps[-1].output

    @property
    def exact(self) -> bool:
        """False where some sizes are known only once the preprocessing is fitted."""
        return all(step.exact for step in self.preprocess)

    @property
    def takes_indices(self) -> bool:
        """Whether the network's input is indices, for an embedding."""
        return bool(self.steps[0].indices)

    def weights(self) -> Iterator[tuple[str, Shape, Step]]:
        """Every weight once: its full name, its shape and the step that has it."""
        for step in self.steps:
            if not step.shared:
                for name, shape in step.weights.items():
                    yield f"{step.name}.{name}", shape, step

    @property
    def total(self) -> int:
        """All weights; buffers such as moving statistics are not among them."""
        return sum(step.params for step in self.steps)

    @property
    def trainable(self) -> int:
        """The weights that training changes."""
        return sum(numel(shape) for name, shape, _ in self.weights() if name not in self.frozen)

    @property
    def buffers(self) -> int:
        """Numbers kept but not trained, such as moving statistics."""
        return sum(numel(s) for step in self.steps if not step.shared for s in step.buffers.values())

    @property
    def macs(self) -> int:
        """Multiply-adds of the network for one sample."""
        return sum(step.macs for step in self.steps)


def plan(
    model: Any, tree: Any, facts: Facts | None = None, preprocess: tuple[Any, ...] = (), train_rows: int = 0
) -> Plan:
    """Work the network out.

    Args:
        model: the experiment's ModelSection.
        tree: what gives `locate(path)`, the place of each layer.
        facts: what the data says; None where there is none.
        preprocess: the experiment's preprocessing steps, or the same steps fitted, which know their sizes.
        train_rows: how many rows they are fitted on.

    Raises:
        SpecError: a layer cannot take its input, or a name means nothing.
    """
    front, shape = _plan_preprocess(preprocess, facts, train_rows, tree) if facts else ((), None)
    declared = model.input
    if declared is None and shape is None:
        place = tree.locate(("model",), at_key=True)
        hint = "write one sample's shape, without the batch: `input: [1, 28, 28]`"
        raise SpecError([Problem("`model` needs `input`: there is no data to infer it from", place, hint)])
    if declared is not None and shape is not None and numel(declared) != numel(shape):
        place = tree.locate(("model", "input"))
        source = ("data", "preprocess") if front else ("data", "source")
        message = f"the network's input {show(declared)} has {numel(declared)} numbers, and a row {numel(shape)}"
        notes = ((f"a row is {show(shape)} here", tree.locate(source)),)
        raise SpecError([Problem(message, place, "remove `input` to take the data's own shape", notes)])
    network_input = declared or shape
    assert network_input is not None
    at = ("model", "input") if declared else ("data", "source")
    layout = Layout(tree, network_input, tree.locate(at))
    layout.chain(model.layers, 0, ("model", "layers"))
    steps = layout.settled()
    names = [f"{step.name}.{weight}" for step in steps if not step.shared for weight in step.weights]
    frozen = frozenset(name for name in names if any(matches(name, pattern) for pattern in model.freeze or ()))
    raw = facts.shape if facts else network_input
    return Plan(front, raw, steps, frozen, tuple(layout.groups))


def _plan_preprocess(
    preprocess: tuple[Any, ...], facts: Facts, train_rows: int, tree: Any
) -> tuple[tuple[PreprocessStep, ...], Shape]:
    shape = facts.shape
    planned: list[PreprocessStep] = []
    for index, step in enumerate(preprocess):
        place = tree.locate(("data", "preprocess", index))
        classes = len(facts.labels) if facts.labels else None
        try:
            output, exact = step.output_shape(shape, train_rows, classes)
        except ShapeError as error:
            raise SpecError([Problem(f"{step.kind}: {error.message}", place, error.hint)]) from None
        name = f"preprocess.{step.kind}_{sum(p.step.kind == step.kind for p in planned) + 1}"
        planned.append(PreprocessStep(name, step, shape, output, step.fitted(shape, output), exact, place))
        shape = output
    return tuple(planned), shape


def matches(weight: str, pattern: str) -> bool:
    """Whether a pattern names a weight: by its full name, or by a layer that it lies in."""
    return fnmatch.fnmatchcase(weight, pattern) or fnmatch.fnmatchcase(weight, f"{pattern}.*")


def penalties(plan: Plan, regularizers: tuple[Component, ...]) -> list[tuple[Any, list[str]]]:
    """Each regularizer of the spec with the full names of the weights that it acts on, layers' own included."""
    found: list[tuple[Any, list[str]]] = []
    for step in plan.steps:
        own = () if step.shared else getattr(step.layer, "regularizers", ())
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
