"""A network in two parts: the trunk, which is computed once for each row, and the head, which takes its values."""

from __future__ import annotations

from dataclasses import dataclass

from torch import fx

from dlrun.network.names import torch_path
from dlrun.plan.network import Plan
from dlrun.plan.trunk import is_steady


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Both parts; their modules are those of the whole network."""

    trunk: fx.GraphModule
    """Takes a batch for each input of the network, and returns a tuple of values."""
    head: fx.GraphModule
    """Takes a batch for each of `inputs`, then these values; it returns what the network does."""
    inputs: tuple[int, ...]
    """The places of the inputs that the head takes too."""


def divide(network: fx.GraphModule, plan: Plan, with_inputs: bool = False) -> Parts:
    """Divide a network, where `find_trunk` finds a trunk.

    Args:
        network: as `build` gives it for the plan, so that both parts make the calls that it makes.
        plan: the plan.
        with_inputs: whether the head takes all inputs, also those that it does not use.
    """
    steady = {torch_path(step.name) for step in plan.layers if is_steady(plan, step)}
    fixed = dict[fx.Node, None]()
    for node in network.graph.nodes:
        computed = node.op == "call_function" or (node.op == "call_module" and node.target in steady)
        if node.op == "placeholder" or (computed and fixed.keys() >= set(node.all_input_nodes)):
            fixed[node] = None  # not a method, which gives only a view of what is kept
    kept = [node for node in fixed if not fixed.keys() >= node.users.keys()]
    places = {node: place for place, node in enumerate(node for node in fixed if node.op == "placeholder")}
    inputs = tuple(place for node, place in places.items() if with_inputs or node in kept)
    values = [node for node in kept if node not in places]

    trunk, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in fixed:
        copies[node] = trunk.node_copy(node, copies.__getitem__)
    trunk.output(tuple(copies[node] for node in values))

    head, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    taken = [node for node, place in places.items() if place in inputs]
    for node in (*taken, *values):
        copies[node] = head.create_node("placeholder", node.name, name=node.name)
    for node in network.graph.nodes:
        if node not in fixed:
            copies[node] = head.node_copy(node, copies.__getitem__)
    return Parts(fx.GraphModule(network, trunk), fx.GraphModule(network, head), inputs)
