"""The definitions of a file, `vars` and `blocks`, read but not yet used."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dlrun.errors import Place, Problem
from dlrun.language.kinds import kinds
from dlrun.language.suggestions import did_you_mean
from dlrun.language.text.expressions import FROM_DATA
from dlrun.language.text.node import Node

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
FUNCTIONS = ("min", "max")
BLOCK_KEYS = ("parameters", "layers", "description")


@dataclass(slots=True)
class Block:
    """A list of layers that the file gives a name."""

    name: str
    place: Place
    parameters: dict[str, Node]
    """Each parameter's default; null where it must be given."""
    layers: Node


def read_vars(root: Node, problems: list[Problem]) -> Node | None:
    """The mapping `vars`, if there is one; names that cannot be used are reported."""
    node = _mapping(root, "vars", "from names to values", problems)
    if node is None:
        return None
    for name, place in node.keys.items():
        if not IDENTIFIER.match(name):
            problems.append(Problem(f"'{name}' cannot be a name: letters, digits and '_' only", place))
        elif name in FUNCTIONS:
            problems.append(Problem(f"'{name}' is a function in expressions", place, "choose another name"))
        elif name in FROM_DATA:
            problems.append(Problem(f"'{name}' is the name of a value from the data", place, "choose another name"))
    return node


def read_blocks(root: Node, problems: list[Problem]) -> dict[str, Block]:
    """The file's blocks by name; a block that is wrong is reported and left out."""
    node = _mapping(root, "blocks", "from names to blocks", problems)
    if node is None:
        return {}
    found = {name: _read_block(name, body, node.keys[name], problems) for name, body in node.value.items()}
    return {name: block for name, block in found.items() if block is not None}


def _read_block(name: str, body: Node, place: Place, problems: list[Problem]) -> Block | None:
    layers = body.value.get("layers") if isinstance(body.value, dict) else None
    if not IDENTIFIER.match(name):
        problems.append(Problem(f"'{name}' cannot be a block's name: letters, digits and '_' only", place))
    elif name in kinds("layers"):
        problems.append(Problem(f"'{name}' is a kind of layer already", place, "choose another name for the block"))
    elif layers is None or not isinstance(layers.value, list):
        hint = "`parameters` is optional"
        problems.append(Problem(f"block '{name}' needs `layers`, a list", place, hint))
    else:
        for key in body.value.keys() - set(BLOCK_KEYS):
            message = f"unknown setting '{key}'{did_you_mean(key, BLOCK_KEYS, {})}"
            problems.append(Problem(message, body.keys[key], "a block has parameters and layers"))
        return Block(name, place, _read_parameters(body, problems), layers)
    return None


def _read_parameters(body: Node, problems: list[Problem]) -> dict[str, Node]:
    node = _mapping(body, "parameters", "from names to defaults; null means that it must be given", problems)
    if node is None:
        return {}
    for name, place in node.keys.items():
        if not IDENTIFIER.match(name) or name in (*FUNCTIONS, "name"):
            problems.append(Problem(f"'{name}' cannot be a parameter's name", place))
    return node.value


def _mapping(parent: Node, key: str, what: str, problems: list[Problem]) -> Node | None:
    node = parent.value.get(key)
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        problems.append(Problem(f"`{key}` is a mapping {what}", node.place))
        return None
    return node
