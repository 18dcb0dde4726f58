"""The names that a network's parts have in torch, where a spec may use any word.

torch makes a layer's name an attribute of a module and an input's name an argument of a function, so the words of
Python and the attributes of its modules are not free there. Such a name gets underscores at its end, inside the module
alone: `state_dict` and `load_state_dict` use the names of the spec, as every file does.
"""

from __future__ import annotations

import builtins
import functools
import keyword
from collections.abc import Iterable, MutableMapping
from typing import Any

import torch
from torch import fx, nn

from dlrun.plan.network import Plan


@functools.cache
def _taken() -> dict[str, int]:
    """Each name that is not free, without the underscores at its end, and the most that it has there."""
    module = fx.GraphModule(nn.Module(), fx.Graph())
    # The last are what the code that torch.fx writes uses besides.
    names = {*dir(module), *vars(builtins), *keyword.kwlist, "self", "torch", "device", "inf", "nan", "NoneType"}
    names |= {"fx_pytree", "pytree"}
    found: dict[str, int] = {}
    for name in names:
        base = name.rstrip("_")
        found[base] = max(found.get(base, 0), len(name) - len(base))
    return found


def torch_name(name: str) -> str:
    """The name in torch for an input or for one part of a layer's path; different names stay different."""
    most = _taken().get(name.rstrip("_"))
    return name if most is None else name + "_" * (most + 1)


def torch_path(path: str) -> str:
    """The path in torch to the module of a step."""
    return ".".join(map(torch_name, path.split(".")))


def front_path(plan: Plan, step: str) -> str:
    """The path to the module of a preprocessing step in a whole network, where a layer may have the same name."""
    first, _, rest = step.partition(".")
    layers = {name.partition(".")[0] for own in plan.layers for name in (own.name, torch_path(own.name))}
    while first in layers:
        first += "_"
    return f"{first}.{rest}"


def argument(graph: fx.Graph, name: str) -> fx.Node:
    """The argument of a network's function for an input. All arguments come before the first call."""
    # torch.fx would call the node after a changed name; two arguments could then hide each other in the code.
    return graph.create_node("placeholder", torch_name(name), name=torch_name(name))


def call(graph: fx.Graph, path: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> fx.Node:
    """A call of the module at a path in torch."""
    return graph.create_node("call_module", path, args, kwargs or {}, name=path.replace(".", "_"))


def keep_names(network: fx.GraphModule, plan: Plan) -> None:
    """Have `state_dict` and `load_state_dict` use the names of the spec."""
    names = {torch_path(step.name): step.name for step in plan.layers}
    changed = {ours: theirs for ours, theirs in names.items() if ours != theirs}
    if not changed:
        return
    back = {theirs: ours for ours, theirs in changed.items()}
    network.register_state_dict_post_hook(functools.partial(_rename, changed))
    network.register_load_state_dict_pre_hook(functools.partial(_rename, back))


def take_by_name(network: fx.GraphModule, plan: Plan) -> None:
    """Have a call with inputs by name use the names of the spec."""
    arguments = {entry.name: torch_name(entry.name) for entry in plan.inputs}
    if any(name != theirs for name, theirs in arguments.items()):
        network.register_forward_pre_hook(functools.partial(_by_name, arguments), with_kwargs=True)


def _by_name(names: dict[str, str], _module: nn.Module, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return args, {names.get(name, name): value for name, value in given.items()}


def _rename(
    names: dict[str, str], _module: nn.Module, state: MutableMapping[str, torch.Tensor], prefix: str, *_: Any
) -> None:
    """Change the first part of each key that `names` has, without changing the order."""
    entries = list(state.items())
    state.clear()
    state.update((_renamed(key, prefix, names), value) for key, value in entries)


def _renamed(key: str, prefix: str, names: dict[str, str]) -> str:
    if not key.startswith(prefix):
        return key
    path = key.removeprefix(prefix)
    for head in _heads(path):
        if head in names:
            return f"{prefix}{names[head]}{path.removeprefix(head)}"
    return key


def _heads(path: str) -> Iterable[str]:
    """`a`, `a.b` for `a.b.c`."""
    parts = path.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))
