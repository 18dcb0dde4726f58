"""The named values of a run's network, one for each layer: it can stop at one, or start at one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import fx

from dlrun.components.sources import Source, SourceError
from dlrun.components.sources._files import TableSource
from dlrun.errors import Problem, SpecError
from dlrun.language.suggestions import did_you_mean
from dlrun.network.build import STEPS
from dlrun.network.names import argument
from dlrun.plan.network import Plan
from dlrun.shapes import Shape, numel
from dlrun.trained.run import TrainedInput, TrainedRun, numbered


def shape_of(run: TrainedRun, name: str) -> Shape:
    """One row's shape of a value.

    Raises:
        SpecError: the network has no such value.
    """
    if (steps := _node(run, name).meta.get(STEPS)) is not None:
        return run.plan.steps[steps[0]].output
    with torch.inference_mode():
        rows = until(run, name)(*(torch.zeros(0, *entry.shape, dtype=torch.float64) for entry in run.inputs))
    return tuple(rows.shape[1:])


def until(run: TrainedRun, name: str) -> fx.GraphModule:
    """The network up to a value; it shares the modules.

    Raises:
        SpecError: the network has no such value, or it does not follow from the one that the network starts at.
    """
    node = _node(run, name)
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for other in run.network.graph.nodes:
        copies[other] = graph.node_copy(other, copies.__getitem__)
        if other is node:
            break
    graph.output(copies[node])
    return _module(run, graph)


def starting_at(run: TrainedRun, name: str, source: Source) -> TrainedRun:
    """The same run with the part of the network that follows from a value, whose numbers the rows of a file are.

    A table has a column for each number, with the names that `until` gives them; a file of arrays has an array of the
    value's name, or a single one. Outputs that have nothing to do with the value are left out.

    Raises:
        SpecError: the network has no such value, or none of its outputs follows from it alone.
    """
    start, shape = _node(run, name), shape_of(run, name)
    graph = fx.Graph()
    given = argument(graph, "value")
    if STEPS in start.meta:  # the preprocessing computes in float64
        given = graph.call_method("to", (given, torch.float32))
    copies: dict[fx.Node, fx.Node] = {start: graph.call_method("reshape", (given, (-1, *shape)))}
    for node in run.network.graph.nodes:
        from_it = node.op not in ("placeholder", "output") and copies.keys() >= set(node.all_input_nodes)
        if from_it and node not in copies:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    (last,) = next(node for node in run.network.graph.nodes if node.op == "output").args
    every: Mapping[str, fx.Node] = last if isinstance(last, dict) else {run.outputs[0].name: last}
    follow = _followers(start)
    for output, node in every.items():
        if node in follow and node not in copies:
            others = ", ".join(f"'{other}'" for other in dict.fromkeys(_others(run.plan, node, copies, follow)))
            message = f"the network cannot start at '{name}': the output '{output}' is made of {others} too"
            raise SpecError([Problem(message, hint="name a value that nothing goes past")])
    outputs = {output: copies[node] for output, node in every.items() if node in follow}
    graph.output(outputs if len(outputs) > 1 else next(iter(outputs.values())))
    entry = TrainedInput(
        name, dict.fromkeys(_fields(source, name, shape), "number"), shape, frozenset(), frozenset(), None, False, None
    )
    kept = tuple(one for one in run.outputs if one.name in outputs)
    return replace(run, network=_module(run, graph), inputs=(entry,), outputs=kept)


def _fields(source: Source, name: str, shape: Shape) -> Sequence[str]:
    """The fields of a file that have the numbers of a value."""
    if isinstance(source, TableSource):
        return numbered(name, numel(shape))
    try:
        fields = source.open(Path()).fields
    except SourceError as error:
        raise SpecError([Problem(error.message)]) from None
    return tuple(fields) if len(fields) == 1 else (name,)


def _node(run: TrainedRun, name: str) -> fx.Node:
    """What computes a value: that of a layer, of an input once it is preprocessed, or of a step of the preprocessing.

    Of a layer that is used again it is the last one.
    """
    plan, nodes = run.plan, run.network.graph.nodes
    steps = {step.name: number for number, step in enumerate(plan.steps[: len(plan.inputs)])}
    steps |= {layer: found[-1] for layer, found in plan.values.items()}
    front = {node.target: node for node in nodes if node.op == "call_module" and STEPS not in node.meta}
    if name in front and name not in steps:
        return front[name]
    if name not in steps:
        meant = did_you_mean(name, [*steps, *map(str, front)], {})
        raise SpecError(f"the network has no layer '{name}'{meant}\n  params.txt of the run has the names")
    for node in nodes:
        if steps[name] in node.meta.get(STEPS, ()):
            return node
    raise SpecError(f"'{name}' does not follow from '{run.inputs[0].name}', where the network starts")


def _followers(start: fx.Node) -> set[fx.Node]:
    """A value, and all that is made of it and others."""
    found, left = {start}, [start]
    while left:
        more = set(left.pop().users) - found
        found |= more
        left += more
    return found


def _others(plan: Plan, node: fx.Node, copies: Mapping[fx.Node, fx.Node], follow: set[fx.Node]) -> Iterator[str]:
    """The values that a node is made of besides those that are there."""
    if node in copies:
        return
    if node in follow:
        for one in node.all_input_nodes:
            yield from _others(plan, one, copies, follow)
    elif steps := node.meta.get(STEPS):
        yield plan.steps[steps[0]].name
    else:
        for one in node.all_input_nodes:
            yield from _others(plan, one, copies, follow)


def _module(run: TrainedRun, graph: fx.Graph) -> fx.GraphModule:
    found = fx.GraphModule(run.network, graph)
    found.graph.eliminate_dead_code()
    found.recompile()
    return found.eval()
