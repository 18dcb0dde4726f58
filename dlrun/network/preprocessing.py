"""The fitted preprocessing: as modules in front of a network, and as tensors in a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from dlrun.components.preprocess import FittedState
from dlrun.data.fit import Fitted, FittedStep
from dlrun.network.build import STEPS, place_module
from dlrun.network.names import argument, call, front_path, keep_names, take_by_name, torch_name
from dlrun.plan.network import Plan


def with_preprocessing(
    network: fx.GraphModule,
    plan: Plan,
    steps: Mapping[str, Sequence[tuple[str, nn.Module]]],
    targets_back: Mapping[str, nn.Module] | None = None,
) -> fx.GraphModule:
    """The same network with its fitted preprocessing in front, so that it takes raw rows; the weights are shared.

    Args:
        network: the result of `build`.
        plan: the plan that it was built from.
        steps: for each input its fitted steps in order, each with its name, such as `preprocess.pca_1`.
        targets_back: for each output with a scaled target what brings it back to the units of the data.
    """
    root = nn.Module()
    graph = fx.Graph()
    values: dict[fx.Node, Any] = {}
    arguments = [argument(graph, entry.name) for entry in plan.inputs]
    for entry, value, placeholder in zip(plan.inputs, arguments, network.graph.nodes, strict=False):
        for name, module in steps[entry.name]:
            path = front_path(plan, name)
            place_module(root, path, module)
            value = call(graph, path, (value,))
        value = graph.call_method("to", (value, torch.int64 if plan.indices[entry.name] else torch.float32))
        values[placeholder] = value = graph.call_method("reshape", (value, (-1, *entry.shape)))
        value.meta[STEPS] = placeholder.meta[STEPS]
    for name, module in network.named_children():
        root.add_module(name, module)
    outputs: Any = graph.graph_copy(network.graph, values)
    for number, (name, module) in enumerate((targets_back or {}).items(), 1):
        path = front_path(plan, f"target_units.back_{number}")
        place_module(root, path, module)
        if isinstance(outputs, dict):
            outputs = {**outputs, name: call(graph, path, (outputs[name],))}
        else:
            outputs = call(graph, path, (outputs,))
    graph.output(outputs)
    whole = fx.GraphModule(root, graph)
    keep_names(whole, plan)
    take_by_name(whole, plan)
    return whole


def without_reshaping(network: fx.GraphModule, inputs: Collection[str]) -> fx.GraphModule:
    """The same network, made by `with_preprocessing`, with some inputs taken as they are, so that the sequences of one
    may have any number of steps; the modules are shared.

    Args:
        network: the network with its preprocessing.
        inputs: the names of inputs whose rows have the shape that the network takes.
    """
    graph = fx.Graph()
    graph.output(graph.graph_copy(network.graph, {}))
    for name in inputs:
        *_, reshape = _front(graph, name)
        reshape.replace_all_uses_with(reshape.all_input_nodes[0])
        graph.erase_node(reshape)
    return fx.GraphModule(network, graph).eval()


def maps_before(network: fx.GraphModule, name: str) -> list[nn.Module]:
    """The maps that a network, made by `with_preprocessing`, begins with for one of its inputs, in order."""
    called = [node for node in _front(network.graph, name) if node.op == "call_module"]
    return [network.get_submodule(str(node.target)) for node in called]


def _front(graph: fx.Graph, name: str) -> list[fx.Node]:
    """What `with_preprocessing` put behind an input: its maps, and the calls that end with `reshape`."""
    (node,) = (node for node in graph.nodes if node.op == "placeholder" and node.target == torch_name(name))
    found = []
    while node.target != "reshape":
        (node,) = node.users
        found.append(node)
    return found


def as_tensors(fitted: Fitted) -> dict[str, torch.Tensor]:
    """What the preprocessing learned, by `STEP.NAME`."""
    return {
        f"{name}.{key}": torch.as_tensor(value) for name, step in fitted.items() for key, value in step.state.items()
    }


def states_by_step(tensors: Mapping[str, torch.Tensor]) -> dict[str, FittedState]:
    """The inverse of `as_tensors`: for each step what it learned."""
    states: dict[str, FittedState] = {}
    for name, tensor in tensors.items():
        step, _, key = name.rpartition(".")
        states.setdefault(step, {})[key] = tensor.numpy()
    return states


def from_tensors(plan: Plan, tensors: Mapping[str, torch.Tensor]) -> Fitted:
    """The preprocessing of a plan, from what `as_tensors` returned."""
    states = states_by_step(tensors)
    return {planned.name: FittedStep.planned(planned, states.get(planned.name, {})) for planned in plan.preprocess}
