"""Plans the network: every layer with its shapes, weights, cost and place. Plain arithmetic; no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dlrun.components.preprocess import Preprocess
from dlrun.errors import Problem, SpecError
from dlrun.language.experiment import ModelSection
from dlrun.language.text.node import Node
from dlrun.plan.data_info import DataInfo
from dlrun.plan.inputs import Input, PreprocessStep, plan_inputs
from dlrun.plan.names import matches
from dlrun.plan.steps import Group, Mask, Step
from dlrun.plan.wiring import NetworkWiring
from dlrun.shapes import Shape, numel

OUTPUT = "output"
"""The name of the only output, where the spec does not list outputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The whole network: inputs, steps in order, outputs."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: dict[str, int]
    """The steps whose values the network gives, by name; `output` is what the last layer gives."""
    frozen: frozenset[str]
    """Full names of weights that are not trained, and of statistics that do not move."""
    late: frozenset[str] = frozenset()
    """Full names of those that are frozen at first, and trained from `model.freeze`'s `until` on."""
    groups: tuple[Group, ...] = ()
    """Which steps lie together, in the order in which the groups begin, the outer before the inner."""
    values: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """For each layer, also one made of layers, the steps that give its output: several where it is used again."""
    masks: Mapping[int, Mask] = field(default_factory=dict)
    """The steps whose values are sequences with padding."""

    @property
    def layers(self) -> tuple[Step, ...]:
        """The steps that compute something: all but the inputs."""
        return self.steps[len(self.inputs) :]

    @property
    def preprocess(self) -> tuple[PreprocessStep, ...]:
        """The fitted steps before all inputs."""
        return tuple(step for entry in self.inputs for step in entry.preprocess)

    @property
    def input_shapes(self) -> dict[str, Shape]:
        """The shape of each input."""
        return {entry.name: entry.shape for entry in self.inputs}

    @property
    def indices(self) -> dict[str, bool]:
        """Whether each input is indices, for an embedding."""
        return {entry.name: bool(step.indices) for entry, step in zip(self.inputs, self.steps, strict=False)}

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """The shape of each output."""
        return {name: self.output_shape(name) for name in self.outputs}

    def output_shape(self, name: str) -> Shape:
        """The shape of one output."""
        return self.steps[self.outputs[name]].output

    @property
    def exact(self) -> bool:
        """False where some sizes are known only once the preprocessing is fitted."""
        return all(step.exact for step in self.preprocess)

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

    def is_still(self, step: Step) -> bool:
        """Whether a step has moving statistics and keeps them, so that it computes as in evaluation."""
        return any(f"{step.name}.{name}" in self.frozen for name in step.buffers)

    def at_first(self) -> Plan:
        """The same network with the weights that are trained later frozen."""
        return replace(self, frozen=self.frozen | self.late, late=frozenset())

    @property
    def macs(self) -> int:
        """Multiply-adds of the network for one sample."""
        return sum(step.macs for step in self.steps)


def plan(
    model: ModelSection,
    tree: Node,
    data_info: DataInfo | None = None,
    preprocess: Sequence[Preprocess] = (),
    train_rows: int = 0,
) -> Plan:
    """Plan the network.

    Args:
        model: the spec's section.
        tree: the spec as it was written, for the places in errors.
        data_info: the description of the data; None where there is none.
        preprocess: the spec's preprocessing steps, or the same steps fitted, which know their sizes.
        train_rows: how many rows they are fitted on.

    Raises:
        SpecError: a layer cannot take its input, or a name is unknown.
    """
    inputs = plan_inputs(model, tree, data_info, preprocess, train_rows)
    wiring = NetworkWiring(tree, {entry.name: (entry.shape, entry.place) for entry in inputs}, model.layers)
    last = wiring.chain(model.layers, 0, ("model", "layers"))
    outputs = _outputs(model, wiring, last)
    steps = wiring.settled()
    _refuse_unused(steps, inputs, outputs)
    names = [f"{step.name}.{name}" for step in steps for name in (*step.weights, *step.buffers) if not step.shared]
    frozen = frozenset(name for name in names if any(matches(name, pattern) for pattern in model.frozen))
    late = frozenset[str]()
    if model.frozen_until is not None:
        frozen, late = late, frozen
    values = {name: tuple(steps) for name, steps in wiring.values.items()}
    return Plan(inputs, steps, outputs, frozen, late, tuple(wiring.groups), values, wiring.masks)


def _outputs(model: ModelSection, wiring: NetworkWiring, last: int) -> dict[str, int]:
    if model.outputs is None:
        return {OUTPUT: last}
    found: dict[str, int] = {}
    for index, name in enumerate(model.outputs):
        path = ("model", "outputs", index)
        if name in found:
            wiring.refuse(f"the output '{name}' is listed twice", path)
        value, layer, _ = wiring.named(name, path, "layer")
        if layer is None:
            wiring.refuse(f"'{name}' is an input, not a layer", path)
        found[name] = value
    return found


def _refuse_unused(steps: tuple[Step, ...], inputs: tuple[Input, ...], outputs: dict[str, int]) -> None:
    """Refuse inputs and layers that no output depends on.

    Raises:
        SpecError: an input or a layer is not used.
    """
    pending, used = list(outputs.values()), set[int]()
    while pending:
        index = pending.pop()
        if index not in used:
            used.add(index)
            step = steps[index]
            pending += [*step.inputs, *(mask.indices for mask in step.masks if mask is not None)]
    problems = []
    passed_on = {value for step in steps for value in step.inputs}
    for index, step in enumerate(steps):
        if index in used:
            continue
        if index < len(inputs):
            hint = f"`- input: {step.name}` continues from it"
            problems.append(Problem(f"the input '{step.name}' is not used", step.place, hint))
        elif index not in passed_on:
            hint = "list it in `model.outputs`, use it by its name, or remove the layer"
            problems.append(Problem(f"the output of {step.name} is not used", step.place, hint))
    if problems:
        raise SpecError(problems)
