"""Replaces `vars`, blocks, repeats and expressions, so that only layers with plain settings remain.

All values are copied by `_node`, which computes the expressions. Lists of layers are copied by `_layers`, because only
there can an entry be a block or a repeat. A `Scope` has the values of the names at a place: inside a block these are
the block's parameters alone; `vars` and the names from the data are known everywhere. Every node of the result has the
place where it was written and, inside a block, the places where the block is used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from dlrun.errors import Place, Problem, SpecError
from dlrun.language.kinds import find, kinds
from dlrun.language.messages import setting_problems
from dlrun.language.suggestions import did_you_mean
from dlrun.language.text.definitions import IDENTIFIER, Block, read_blocks, read_vars
from dlrun.language.text.expressions import FROM_DATA, ExpressionError, Lookup, interpolate
from dlrun.language.text.node import Node
from dlrun.language.text.yaml_events import MAX_NODES

GROUP = "sequential"
"""The kind of layer that a block, a repeat, and each turn of one become."""
MAX_LAYERS = 20_000
"""Of a file that writes fewer; blocks and turns of a repeat count too."""
MAX_CHARACTERS = 2_000_000
"""Of texts with expressions, before and after."""


class Broken:
    """Replaces a value whose expression is wrong: the setting that needs it must not report that once more."""

    def __repr__(self) -> str:
        return "a broken expression"


BROKEN = Broken()


@dataclass(slots=True)
class Scope:
    """The values of the names at some place in the file."""

    values: dict[str, Node]
    trail: tuple[tuple[str, Place], ...] = ()
    """Where the blocks around the place are used, innermost first."""
    blocks: tuple[str, ...] = ()
    """The blocks around the place; using one of them again would never end."""

    def with_values(self, values: dict[str, Node]) -> Scope:
        return Scope({**self.values, **values}, self.trail, self.blocks)


@dataclass(slots=True)
class Expander:
    """Expands the sections of one file; adds what is wrong to `problems`."""

    root: Node
    from_data: Lookup
    """Returns `$classes` and the other values from the data; raises ExpressionError."""
    problems: list[Problem] = field(default_factory=list)
    _vars: dict[str, Node | None] = field(default_factory=dict)
    """The vars that are expanded already; None while one is being expanded, so that a use of itself is noticed."""
    _blocks: dict[str, Block] = field(default_factory=dict)
    _made: int = 0
    """How many nodes there are so far."""
    _layers_made: int = 0
    _characters: int = 0
    """How many characters of texts with expressions were read and made so far."""
    _vars_node: Node | None = None

    def __post_init__(self) -> None:
        self._vars_node = read_vars(self.root, self.problems)
        self._blocks = read_blocks(self.root, self.problems)

    def section(self, name: str) -> Node:
        """A top-level section, expanded."""
        node = self.root.value[name]
        if name == "model" and isinstance(node.value, dict):
            return self._mapping(node, Scope({}), lists={"layers": self._layers})
        return self._node(node, Scope({}))

    def finish(self) -> None:
        """Expand the vars that nothing has used, so that a mistake in one is reported too."""
        for name in self._vars_node.value if self._vars_node else ():
            with suppress(ExpressionError):  # reported already, at the var's place
                self._var(name)

    # -- names

    def _lookup(self, scope: Scope) -> Lookup:
        def value_of(name: str, of: str = "") -> Any:
            node = self._named(name, scope)
            if node is None:
                return self.from_data(name, of)
            return node if isinstance(node.value, dict | list) else node.value  # one node may hold very many

        return value_of

    def _named(self, name: str, scope: Scope) -> Node | None:
        if name in scope.values:
            node = scope.values[name]
        elif self._vars_node is not None and name in self._vars_node.value:
            node = self._var(name)
        elif name in FROM_DATA:
            return None
        else:
            known = [*scope.values, *(self._vars_node.value if self._vars_node else ()), *FROM_DATA]
            hint = "names come from `vars`, from a block's parameters, and from the data: " + ", ".join(
                f"${name}" for name in FROM_DATA
            )
            raise ExpressionError(f"unknown name '{name}'{did_you_mean(name, known, {})}", hint=hint)
        if isinstance(node.value, Broken):
            raise ExpressionError("", length=0)
        return node

    def _var(self, name: str) -> Node:
        if name not in self._vars:
            assert self._vars_node is not None
            self._vars[name] = None
            self._vars[name] = self._node(self._vars_node.value[name], Scope({}))
        node = self._vars[name]
        if node is None:
            raise ExpressionError(f"the definition of '{name}' uses '{name}' itself")
        return node

    # -- values

    def _node(self, node: Node, scope: Scope) -> Node:
        if isinstance(node.value, dict):
            return self._mapping(node, scope)
        if isinstance(node.value, list):
            return self._copy(node, [self._node(item, scope) for item in node.value], scope)
        if isinstance(node.value, str) and "$" in node.value:
            return self._text(node, scope)
        return self._copy(node, node.value, scope)

    def _mapping(self, node: Node, scope: Scope, lists: dict[str, Callable[[Node, Scope], Node]] | None = None) -> Node:
        read = lists or {}
        value = {key: read.get(key, self._node)(item, scope) for key, item in node.value.items()}
        copy = self._copy(node, value, scope)
        copy.keys = {key: _via(place, scope) for key, place in node.keys.items()}
        return copy

    def _text(self, node: Node, scope: Scope) -> Node:
        self._count_characters(len(node.value), node, scope)
        try:
            value = interpolate(node.value, self._lookup(scope))
        except ExpressionError as error:
            self._describe(error, node, scope)
            return self._copy(node, BROKEN, scope)
        if isinstance(value, str):
            self._count_characters(len(value), node, scope)
        name = node.value[1:]
        if IDENTIFIER.match(name) and (given := self._named(name, scope)) is not None:
            place = _via(node.place, scope).via(f"'{name}' is given here", given.place)
            return self._given(given, node, place, scope)
        if isinstance(value, Node):
            return self._given(value, node, _via(node.place, scope), scope)
        return self._copy(node, value, scope)

    def _given(self, given: Node, use: Node, place: Place, scope: Scope) -> Node:
        """The value that a name stands for, as nodes that all have the place where the name is used."""
        self._count(use, scope)
        value, keys = given.value, {}
        if isinstance(value, list):
            value = [self._given(item, use, place, scope) for item in value]
        elif isinstance(value, dict):
            value = {key: self._given(item, use, place, scope) for key, item in value.items()}
            keys = dict.fromkeys(value, place)
        return Node(value, place, keys, origin=given.written_in)

    def _describe(self, error: ExpressionError, node: Node, scope: Scope) -> None:
        if error.length == 0:
            return
        place = _via(node.place, scope)
        written = place.source.line(place.line)[place.column - 1 :]
        if place.source.numbered is False or written.startswith(node.value):
            column, length = place.column + error.position, error.length
        else:
            column, length = place.column, place.length
        at = Place(place.source, place.line, column, length, place.path, place.trail)
        self.problems.append(Problem(error.message, at, error.hint))

    def _copy(self, node: Node, value: Any, scope: Scope) -> Node:
        self._count(node, scope)
        return Node(value, _via(node.place, scope), origin=node.origin)

    def _count(self, node: Node, scope: Scope, made: int = 1) -> None:
        """Bound what is built while it is built: a short file may stand for more than a machine can hold."""
        self._made += made
        most = max(MAX_NODES, 2 * self.root.size)  # a resolved spec is long, and has nothing left to expand
        if self._made > most:
            self._stop(f"this expands to more than {most:,} values", node, scope)

    def _count_layer(self, node: Node, scope: Scope) -> None:
        self._layers_made += 1
        most = max(MAX_LAYERS, self.root.size)
        if self._layers_made > most:
            self._stop(f"this expands to more than {most:,} layers", node, scope)

    def _count_characters(self, count: int, node: Node, scope: Scope) -> None:
        self._characters += count
        if self._characters > MAX_CHARACTERS:
            self._stop(f"the expressions expand to more than {MAX_CHARACTERS:,} characters", node, scope)

    def _stop(self, message: str, node: Node, scope: Scope) -> None:
        place = scope.trail[-1][1] if scope.trail else node.place
        raise SpecError([*self.problems, Problem(message, place)])

    # -- layers

    def _layers(self, node: Node, scope: Scope) -> Node:
        if not isinstance(node.value, list):
            given = self._node(node, scope)  # a list that a name stands for may use blocks too
            return self._layers(given, scope) if isinstance(given.value, list) else given
        return self._copy(node, [self._layer(item, scope) for item in node.value], scope)

    def _branches(self, node: Node, scope: Scope) -> Node:
        if not isinstance(node.value, list):
            return self._node(node, scope)
        return self._copy(node, [self._branch(item, scope) for item in node.value], scope)

    def _branch(self, node: Node, scope: Scope) -> Node:
        if isinstance(node.value, list):
            return self._layers(node, scope)
        if isinstance(node.value, dict) and node.value.keys() <= {"from", "layers"}:
            return self._mapping(node, scope, {"layers": self._layers})
        return self._node(node, scope)

    def _layer(self, node: Node, scope: Scope) -> Node:
        kind, settings, place = _kind_of(node)
        self._count_layer(node, scope)
        if kind in self._blocks:
            return self._use_block(self._blocks[kind], settings, place, scope)
        if kind is None or settings is None or kind not in kinds("layers"):
            return self._node(node, scope)
        cls: Any = find("layers", kind)
        if getattr(cls, "unrolled", False):
            return self._repeat(cls, settings, place, scope)
        copy = self._copy(node, {kind: self._settings(cls, settings, scope)}, scope)
        copy.keys = {kind: _via(place, scope)}
        return copy

    def _settings(self, cls: Any, node: Node, scope: Scope) -> Node:
        lists: dict[str, Callable[[Node, Scope], Node]] = {
            **dict.fromkeys(getattr(cls, "layer_lists", ()), self._layers),
            **dict.fromkeys(getattr(cls, "branch_lists", ()), self._branches),
        }
        if isinstance(node.value, dict):
            return self._mapping(node, scope, lists)
        return lists.get(cls.main or "", self._node)(node, scope)

    def _use_block(self, block: Block, settings: Node | None, use: Place, scope: Scope) -> Node:
        if block.name in scope.blocks:
            self._fail(f"block '{block.name}' uses itself", _via(use, scope))
            return Node(BROKEN, _via(use, scope))
        given, name = self._arguments(block, settings, scope)
        inner = Scope({}, (("used here", use), *scope.trail), (*scope.blocks, block.name))
        for parameter, default in block.parameters.items():
            if parameter in given:
                inner.values[parameter] = given[parameter]
            elif default.value is None:
                first = next(iter(block.parameters))
                hint = f"write `{block.name}: …`" if parameter == first else f"write `{block.name}: {{{parameter}: …}}`"
                notes = (("defined here", block.place),)
                self._fail(f"block '{block.name}' needs '{parameter}'", _via(use, scope), hint, notes)
                inner.values[parameter] = Node(BROKEN, use)
            else:
                inner.values[parameter] = self._node(default, inner)
        return self._group(_via(use, scope), block.name, name, self._layers(block.layers, inner))

    def _arguments(self, block: Block, settings: Node | None, scope: Scope) -> tuple[dict[str, Node], Node | None]:
        if settings is None or settings.value is None:
            return {}, None
        if not isinstance(settings.value, dict):
            if not block.parameters:
                self._fail(f"block '{block.name}' has no parameters", _via(settings.place, scope))
                return {}, None
            return {next(iter(block.parameters)): self._node(settings, scope)}, None
        given: dict[str, Node] = {}
        for key, node in settings.value.items():
            if key != "name" and key not in block.parameters:
                meant = did_you_mean(key, block.parameters, {})
                notes = (("defined here", block.place),)
                place = _via(settings.keys[key], scope)
                self._fail(f"block '{block.name}' has no parameter '{key}'{meant}", place, "", notes)
            else:
                given[key] = self._node(node, scope)
        return given, given.pop("name", None)

    def _repeat(self, cls: Any, settings: Node, use: Place, scope: Scope) -> Node:
        if not isinstance(settings.value, dict):
            settings = Node({cls.main: settings}, settings.place, {cls.main: settings.place})
        layers = settings.value.get("layers")
        plain = self._mapping(
            Node({k: v for k, v in settings.value.items() if k != "layers"}, settings.place, settings.keys), scope
        )
        asked = {**plain.plain(), **({"layers": ()} if layers else {})}
        broken = Node(BROKEN, _via(use, scope))
        try:
            repeat = cls.read(asked, (cls.kind,))
        except ValidationError as error:
            at = Node({cls.kind: plain}, use, {cls.kind: _via(use, scope)})
            self.problems += [
                Problem(p.message, at.locate(p.path, p.at_key), p.hint)
                for p in setting_problems(error)
                if not isinstance(at.value_at(p.path), Broken)
            ]
            return broken
        assert layers is not None
        if not isinstance(layers.value, list):
            self._fail("`layers` must be a list", _via(layers.place, scope))
            return broken
        if repeat.times * layers.size > MAX_NODES:
            place = plain.value["times"].place
            self._fail(f"{repeat.times:,} repeats make more than {MAX_NODES:,} values", place, "repeat it fewer times")
            return broken
        return self._unroll(repeat, layers, plain, use, scope)

    def _unroll(self, repeat: Any, layers: Node, plain: Node, use: Place, scope: Scope) -> Node:
        place = _via(use, scope)
        turns = []
        for index in range(repeat.times):
            self._count_layer(layers, scope)
            counted = scope.with_values({repeat.counter: Node(index, use)}) if repeat.counter else scope
            turns.append(self._group(place, "turn", Node(str(index), place), self._layers(layers, counted)))
        return self._group(place, repeat.kind, plain.value.get("name"), Node(turns, place))

    def _group(self, place: Place, label: str, name: Node | None, layers: Node) -> Node:
        """The layers of a block or a repeat as one layer."""
        settings = {"layers": layers, "label": Node(label, place)}
        if name is not None:
            settings["name"] = name
        inner = Node(settings, place, dict.fromkeys(settings, place))
        self._count(inner, Scope({}, place.trail), 3)
        return Node({GROUP: inner}, place, {GROUP: place})

    def _fail(self, message: str, place: Place, hint: str = "", notes: tuple[tuple[str, Place], ...] = ()) -> None:
        self.problems.append(Problem(message, place, hint, notes))


def _kind_of(node: Node) -> tuple[str | None, Node | None, Place]:
    """The kind of an entry in a list of layers, its settings and its place; None where there is none."""
    if isinstance(node.value, str):
        return node.value, None, node.place
    if isinstance(node.value, dict) and len(node.value) == 1:
        kind, settings = next(iter(node.value.items()))
        return kind, settings, node.keys[kind]
    return None, None, node.place


def _via(place: Place, scope: Scope) -> Place:
    if not scope.trail:
        return place
    # A place without a trail of its own shares the scope's, because there may be many places.
    trail = (*place.trail, *scope.trail) if place.trail else scope.trail
    return Place(place.source, place.line, place.column, place.length, place.path, trail)
