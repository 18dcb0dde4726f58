"""`section.key=value` on the command line, and `extends`: two ways to change a document before it is expanded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dlrun.errors import Place, Problem, Source, SpecError, SpecPath, show_path
from dlrun.language.suggestions import shorten
from dlrun.language.text.document import Document, read_document
from dlrun.language.text.node import Node
from dlrun.language.text.yaml_events import compose

MAX_EXTENDS = 20
ONE_COMPONENT = {
    ("data", "source"),
    ("model", "init"),
    ("model", "bias_init"),
    ("loss",),
    ("optimizer",),
    ("schedule",),
    ("tracking",),
}
"""The places of a single component: another kind replaces the first one, and their settings are not merged."""

_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*|[0-9]+)|\[([0-9]+)\]")


def with_bases(document: Document) -> Document:
    """The document merged into the one that it `extends`, that one into its own base, and so on.

    Raises:
        SpecError: a base cannot be read, or the chain is a circle.
    """
    seen = [document.file.resolve()] if document.file else []
    root, base_of = document.root, document
    while isinstance(base_of.root.value, dict) and (node := base_of.root.value.get("extends")) is not None:
        if node.value is None:
            break
        if not isinstance(node.value, str):
            raise SpecError([Problem("`extends` names one file", node.place)])
        named = Path(node.value).expanduser()
        path = base_of.folder / named
        base_of = _read_base(path, (node.place.source.folder / named).parent, node)
        if path.resolve() in seen:
            raise SpecError([Problem("circular `extends`", node.place)])
        if len(seen) > MAX_EXTENDS:
            raise SpecError([Problem(f"more than {MAX_EXTENDS} files extend each other", node.place)])
        seen.append(path.resolve())
        root = merge(base_of.root, root)
    return Document(root, document.source, document.file)


def _read_base(path: Path, folder: Path, node: Node) -> Document:
    try:
        document = read_document(path, folder)
    except SpecError as error:
        first = error.problems[0]
        if first.place is None:
            raise SpecError([Problem(first.message, node.place, "paths start from this file's folder")]) from None
        raise
    if not isinstance(document.root.value, dict):
        raise SpecError([Problem("the file it extends is not a spec", node.place)])
    return document


def merge(base: Node, over: Node, path: SpecPath = ()) -> Node:
    """`base` with `over` merged into it: mappings merge, everything else is replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    if path in ONE_COMPONENT and base.value.keys() != over.value.keys():
        return over
    value, keys = dict(base.value), dict(base.keys)
    for key, node in over.value.items():
        value[key] = merge(value[key], node, (*path, key)) if key in value else node
        keys[key] = over.keys[key]
    return Node(value, over.place, keys, 1 + sum(node.size for node in value.values()))


def with_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """The document changed by `section.key=value` arguments, in order.

    Raises:
        SpecError: an argument is wrong; all wrong ones are reported.
    """
    problems: list[Problem] = []
    root = document.root
    for text in overrides:
        try:
            root = _override(root, text)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return Document(root, document.source, document.file)


def _override(root: Node, text: str) -> Node:
    source = Source("command line", text, numbered=False)
    name, equals, _ = text.partition("=")
    steps = _steps(name)
    if not equals or not steps:
        problem = Problem(
            "an override is written section.key=value", Place(source, 1, 1, len(text)), "such as train.epochs=50"
        )
        raise SpecError([problem])
    path: SpecPath = tuple(step for step, _, _ in steps)
    value = compose(source, path, len(name) + 1, len(name) + 1)
    return _set(root, steps, value, source, ())


def _steps(name: str) -> list[tuple[str | int, int, int]]:
    """(step, column, length) for each step of a path, or nothing where it is not one."""
    steps: list[tuple[str | int, int, int]] = []
    position = 0
    while position < len(name):
        match = _STEP.match(name, position)
        if match is None or (position == 0 and match[0].startswith((".", "["))):
            return []
        group = 1 if match[1] is not None else 2
        step = match[group]
        steps.append((int(step[:9]) if step.isdigit() else step, match.start(group) + 1, len(step)))
        position = match.end()
    return steps


def _set(node: Node, steps: list[tuple[str | int, int, int]], value: Node, source: Source, done: SpecPath) -> Node:
    (step, column, length), rest = steps[0], steps[1:]
    place = Place(source, 1, column, length, done)
    if isinstance(step, int) and isinstance(node.value, list):
        if step >= len(node.value):
            raise SpecError(
                [Problem(f"there is no entry {step}: the list ends at {len(node.value) - 1}, counted from 0", place)]
            )
        items = list(node.value)
        items[step] = _set(items[step], rest, value, source, (*done, step)) if rest else value
        return Node(items, node.place, size=1 + sum(item.size for item in items))
    if isinstance(node.value, list):
        hint = f"write the number of an entry, from 0 to {len(node.value) - 1}"
        raise SpecError([Problem(f"this is a list and has no entry '{step}'", place, hint)])
    key = str(step)
    settings, keys = _as_mapping(node, key, place, done)
    if rest:
        inner = settings.get(key) or Node({}, place)
        settings[key] = _set(inner, rest, value, source, (*done, key))
    else:
        settings[key] = value
    keys[key] = place
    return Node(settings, node.place, keys, 1 + sum(item.size for item in settings.values()))


def _as_mapping(node: Node, key: str, place: Place, done: SpecPath) -> tuple[dict[str, Node], dict[str, Place]]:
    """The value at `done` as a mapping in which `key` can be set."""
    if isinstance(node.value, dict):
        other_kind = done in ONE_COMPONENT and key not in node.value
        return ({}, {}) if other_kind else (dict(node.value), dict(node.keys))
    if node.value is None or done in ONE_COMPONENT or node.value == key:
        return {}, {}
    hint = f"write all of it: {show_path(done)}={{{key}: …}}"
    raise SpecError([Problem(f"'{show_path(done)}' is {shorten(node.value)} and has no setting '{key}'", place, hint)])
