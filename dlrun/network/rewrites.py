"""Moving relus to cheaper places: a relu is limited by memory bandwidth. Values and gradients stay the same."""

from __future__ import annotations

import operator
from collections import Counter
from typing import TypeVar

import torch
from torch import fx, nn

from dlrun.modules.linear import Linear

M = TypeVar("M", bound=nn.Module)
MAX_POOLS = nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d
NEW_RESULTS = (
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
"""Operations with a result in new memory, which their backward pass does not read."""


def arrange_relus(network: fx.GraphModule) -> None:
    """Move each relu to where it costs least, if nothing else uses its input."""
    pool_first(network)
    join_linear(network)
    reuse_memory(network)
    network.recompile()


def pool_first(network: fx.GraphModule) -> None:
    """Move a relu that only a max pool uses behind the pool, where there are fewer numbers.

    The largest number of a window stays the largest, and where it is not above 0 no gradient passes in either order.
    """
    relus = _called_once(network, nn.ReLU)
    for pool in _called_once(network, *MAX_POOLS):
        (relu,) = pool.args
        if isinstance(relu, fx.Node) and relu in relus and len(relu.users) == 1:
            pool.replace_all_uses_with(relu)
            pool.args, relu.args = relu.args, (pool,)
            pool.append(relu)


def join_linear(network: fx.GraphModule) -> None:
    """Let a linear layer compute the relu behind it, if only the relu uses its result."""
    linears = _called_once(network, Linear)
    for relu in _called_once(network, nn.ReLU):
        (source,) = relu.args
        if isinstance(source, fx.Node) and source in linears and len(source.users) == 1:
            linears[source].relu = True
            relu.replace_all_uses_with(source)
            network.graph.erase_node(relu)


def reuse_memory(network: fx.GraphModule) -> None:
    """Let a relu overwrite its input, if nothing else uses it: one activation less in memory."""
    modules = dict(network.named_modules())
    for relu, module in _called_once(network, nn.ReLU).items():
        (source,) = relu.args
        if isinstance(source, fx.Node) and len(source.users) == 1:
            maker = type(modules[str(source.target)]) if source.op == "call_module" else source.target
            module.inplace = maker in NEW_RESULTS


def _called_once(network: fx.GraphModule, *kinds: type[M]) -> dict[fx.Node, M]:
    """The calls of modules of these types that are called only once, with their modules."""
    calls = [node for node in network.graph.nodes if node.op == "call_module"]
    count, modules = Counter(node.target for node in calls), dict(network.named_modules())
    once = {node: modules[node.target] for node in calls if count[node.target] == 1}
    return {node: module for node, module in once.items() if isinstance(module, kinds)}
