"""The network of a run as one program of torch's operators: from the inputs, after the encoders, to its answers."""

from __future__ import annotations

import contextlib
import itertools
import logging
import operator
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import fx, nn
from torch.export import Dim, ExportedProgram

from dlrun.errors import RunError
from dlrun.modules.decision import LeastCost, Weighed
from dlrun.modules.private_torch import recurrent_kernels_of_any_length
from dlrun.network.names import argument, call
from dlrun.network.preprocessing import maps_before, without_reshaping
from dlrun.trained.predict import said
from dlrun.trained.run import TrainedInput, TrainedOutput, TrainedRun

ROWS, STEPS = "N", "T"
"""The names of the sizes that are free: how many rows, and how many steps of a sequence."""
SEQUENCE = {True: 1, False: 2}
"""How many axes a row has whose first one may be the steps of a sequence: of indices, and of numbers."""

Held = TypeVar("Held")
Size = int | str
"""A number, or the name of a size that is free."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of the program."""

    name: str
    """As in the spec."""
    sizes: tuple[Size, ...]
    """Of a batch; the first one is the rows."""
    type: str
    """`float32`, `float64` or `int64`."""

    @property
    def steps(self) -> str | None:
        """The name of the size of its steps, where that is free."""
        found = [size for size in self.sizes[1:] if isinstance(size, str)]
        return found[0] if found else None

    @property
    def is_plain(self) -> bool:
        """Whether its rows are the batch's, and every other size is a number or one that is free by itself."""
        return self.sizes[0] == ROWS and all(isinstance(size, int) or size.isidentifier() for size in self.sizes)


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The network with its answers."""

    module: nn.Module
    """In Python: batches of the inputs, in their order, to a dictionary of the outputs."""
    exported: ExportedProgram
    """The same, where nothing of dlrun is left."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    steps: dict[str, tuple[int, int | None]]
    """For each number of steps that is free the least, and the most where there is one."""


class Said(nn.Module):
    """What an output says: `said`."""

    def __init__(self, output: TrainedOutput):
        super().__init__()
        self.of = output

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return said(self.of, values)


def answers_of_output(output: TrainedOutput) -> nn.Sequential:
    """What is computed of an output of the network, one module after the other."""
    decision = output.decision
    return nn.Sequential(Said(output), *([Weighed(decision.factors)] if decision and decision.changes_shares else []))


def decision_of(output: TrainedOutput) -> str:
    """The name of the output with the number of the class that is decided for, behind that with the probabilities."""
    return f"{output.name}.decision"


def type_of(run: TrainedRun, entry: TrainedInput) -> torch.dtype:
    """What the program takes: numbers are as exact as the first step that takes them."""
    if entry.indices:
        return torch.int64
    return torch.float64 if maps_before(run.network, entry.name) else torch.float32


def as_free_as_it_holds(run: TrainedRun, attempt: Callable[[Program], Held]) -> Held:
    """What an attempt gives for the program of a run, whose number of rows is free. That of a sequence's steps is free
    too where the network allows it and the attempt does not fail with it.

    Raises:
        RunError: torch cannot export the network; the attempt fails.
    """
    examples = {entry.name: torch.zeros(1, *entry.shape, dtype=type_of(run, entry)) for entry in run.inputs}
    outputs = [output.name for output in run.outputs]
    outputs += [decision_of(output) for output in run.outputs if output.decision is not None]
    if free := [entry.name for entry in run.inputs if _may_be_sequence(run, entry)]:
        with contextlib.suppress(Exception):  # torch's tracing raises whatever the network's code does
            found = export(_joined(run, free), examples, outputs, free)
            if found.steps and all(port.is_plain for port in (*found.inputs, *found.outputs)):
                return attempt(found)
    try:
        program = export(_joined(run, []), examples, outputs)
    except Exception as error:
        what = str(error).strip().partition("\n")[0]
        raise RunError(f"torch cannot export the network of {run.folder.name}: {what}") from None
    return attempt(program)


def export(
    module: nn.Module, examples: Mapping[str, torch.Tensor], outputs: Sequence[str], free: Collection[str] = ()
) -> Program:
    """The program of a module that takes batches and gives a dictionary of batches. Where it cannot be exported, this
    raises what torch does.

    Args:
        module: the module, in evaluation.
        examples: a row (1, ...) of each input, by its name.
        outputs: the names in the dictionary.
        free: the inputs whose first axis after the rows may have any size, if the module allows it.
    """
    sizes = {size for row in examples.values() for size in row.shape}
    rows = next(count for count in itertools.count(3) if count not in sizes)
    batch = Dim(ROWS)
    dynamic = tuple({0: batch, 1: Dim.AUTO} if name in free else {0: batch} for name in examples)
    with torch.no_grad(), quiet(), recurrent_kernels_of_any_length():
        given = tuple(row.repeat(rows, *(1 for _ in row.shape[1:])) for row in examples.values())
        exported = torch.export.export(module, given, dynamic_shapes=dynamic)
    values = {node.name: node.meta["val"] for node in exported.graph.nodes if "val" in node.meta}
    signature, names = exported.graph_signature, dict[str, str]()
    taken = zip(examples, signature.user_inputs, strict=True)
    given_back = zip(outputs, signature.user_outputs, strict=True)
    inputs = tuple(_port(name, values[str(node)], names) for name, node in taken)
    ranges = {names[str(size)]: bounds for size, bounds in exported.range_constraints.items() if str(size) in names}
    steps = {name: (int(of.lower), int(of.upper) if of.upper.is_Integer else None) for name, of in ranges.items()}
    steps.pop(ROWS, None)
    back = tuple(_port(name, values[str(node)], names) for name, node in given_back)
    return Program(module, exported, inputs, back, steps)


def _may_be_sequence(run: TrainedRun, entry: TrainedInput) -> bool:
    shape = run.plan.input_shapes[entry.name]
    return shape == entry.shape and len(shape) == SEQUENCE[entry.indices] and shape[0] > 1


def _joined(run: TrainedRun, free: Sequence[str]) -> fx.GraphModule:
    """The network and the steps behind it."""
    root, graph = nn.Module(), fx.Graph()
    arguments = [argument(graph, entry.name) for entry in run.inputs]
    root.add_module("network", without_reshaping(run.network, free) if free else run.network)
    values: Any = call(graph, "network", tuple(arguments))
    answers = nn.Module()
    root.add_module("answers", answers)
    found: dict[str, Any] = {}
    for number, output in enumerate(run.outputs):
        answers.add_module(str(number), answers_of_output(output))
        value = graph.call_function(operator.getitem, (values, output.name)) if len(run.outputs) > 1 else values
        found[output.name] = call(graph, f"answers.{number}", (value,))
    decided = nn.Module()
    root.add_module("decisions", decided)
    for number, output in enumerate(run.outputs):
        if output.decision is not None:
            decided.add_module(str(number), LeastCost(output.decision.costs))
            found[decision_of(output)] = call(graph, f"decisions.{number}", (found[output.name],))
    graph.output(found)
    return fx.GraphModule(root, graph).eval()


def _port(name: str, value: torch.Tensor, names: dict[str, str]) -> Port:
    sizes: list[Size] = []
    for size in value.shape:
        if isinstance(size, int):
            sizes.append(size)
            continue
        symbol = str(size)
        if symbol.isidentifier() and symbol not in names:
            count = len(names)
            names[symbol] = ROWS if not count else STEPS if count == 1 else f"{STEPS}{count}"
        sizes.append(names.get(symbol, symbol))
    return Port(name, tuple(sizes), str(value.dtype).removeprefix("torch."))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what torch says of its own code while it exports."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def as_rows(run: TrainedRun, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Batches of the inputs with the types that the program takes."""
    return tuple(values.to(type_of(run, entry)) for entry, values in zip(run.inputs, inputs, strict=True))
