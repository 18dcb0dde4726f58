"""Where relus stand in a network: what one costs is mostly the way to memory and back. Values and gradients stay."""

from __future__ import annotations

import operator
from collections import Counter
from typing import TypeVar

import torch
from torch import fx, nn

from dlrun.modules.linear import Linear

M = TypeVar("M", bound=nn.Module)
MAX_POOLS = nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d
MADE_ANEW = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    *MAX_POOLS,
    operator.add,
    torch.cat,
)
"""What gives numbers of its own, which its backward pass does not ask for."""


def arrange_relus(network: fx.GraphModule) -> None:
    """Have each relu come where it costs least, as far as nobody else wants what it is given."""
    pool_first(network)
    join_linear(network)
    reuse_memory(network)
    network.recompile()


def pool_first(network: fx.GraphModule) -> None:
    """Have a relu that only a max pool wants come behind it, where there are fewer numbers.

    The largest of a window stays the largest, and where it is not above 0 no gradient passes either way.
    """
    relus = _called_once(network, nn.ReLU)
    for pool in _called_once(network, *MAX_POOLS):
        (relu,) = pool.args
        if isinstance(relu, fx.Node) and relu in relus and len(relu.users) == 1:
            pool.replace_all_uses_with(relu)
            pool.args, relu.args = relu.args, (pool,)
            pool.append(relu)


def join_linear(network: fx.GraphModule) -> None:
    """Have a linear layer do the relu that alone wants what it gives."""
    linears = _called_once(network, Linear)
    for relu in _called_once(network, nn.ReLU):
        (given,) = relu.args
        if isinstance(given, fx.Node) and given in linears and len(given.users) == 1:
            linears[given].relu = True
            relu.replace_all_uses_with(given)
            network.graph.erase_node(relu)


def reuse_memory(network: fx.GraphModule) -> None:
    """Have a relu write over what it alone is given: an activation less to keep for each."""
    modules = dict(network.named_modules())
    for relu, module in _called_once(network, nn.ReLU).items():
        (given,) = relu.args
        if isinstance(given, fx.Node) and len(given.users) == 1:
            maker = type(modules[str(given.target)]) if given.op == "call_module" else given.target
            module.inplace = maker in MADE_ANEW


def _called_once(network: fx.GraphModule, *kinds: type[M]) -> dict[fx.Node, M]:
    """The calls of modules of some kinds that are called nowhere else, and the modules."""
    calls = [node for node in network.graph.nodes if node.op == "call_module"]
    count, modules = Counter(node.target for node in calls), dict(network.named_modules())
    once = {node: modules[node.target] for node in calls if count[node.target] == 1}
    return {node: module for node, module in once.items() if isinstance(module, kinds)}
