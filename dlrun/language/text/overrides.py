"""`section.key=value` on the command line, and `extends`: two ways to change a document before it is expanded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from dlrun.errors import Place, Problem, Source, SpecError, SpecPath, show_path
from dlrun.language.component import families_in
from dlrun.language.experiment import WRITTEN_ONLY, Experiment
from dlrun.language.kinds import find, kinds
from dlrun.language.settings_schema import sections
from dlrun.language.suggestions import did_you_mean, shorten, snake_case, suggest
from dlrun.language.synonyms import SETTINGS
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
    ("train", "average"),
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
        try:
            named = Path(node.value).expanduser()
        except (RuntimeError, ValueError) as error:
            raise SpecError([Problem(f"the path cannot be read: {error}", node.place)]) from None
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
    with contextlib.suppress(OSError, ValueError):  # it can be no path: reading it says so
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would wait for somebody who writes
            raise SpecError([Problem(f"{path} is not a file", node.place)])
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
    problems = problems or _unused_definitions(root)
    if problems:
        raise SpecError(problems)
    return Document(root, document.source, document.file, tuple(overrides))


def _override(root: Node, text: str) -> Node:
    source = Source("command line", text, numbered=False)
    name, equals, _ = text.partition("=")
    steps = _steps(name)
    if not equals or not steps:
        hint = "such as train.epochs=50"
        if "[" in name:
            hint += " or model.layers[0]=relu; entries are counted from 0"
        raise SpecError([Problem("an override is written section.key=value", Place(source, 1, 1, len(text)), hint)])
    path: SpecPath = tuple(step for step, _, _ in steps)
    if path[0] == "extends":
        message = "an override cannot change `extends`: overrides change what the files say together"
        hint = f"write a file that has `extends: {text[len(name) + 1 :]}`, and name that file"
        raise SpecError([Problem(message, Place(source, 1, 1, len(name)), hint)])
    _refuse_short(root, path, text.partition("=")[2], Place(source, 1, 1, len(name)))
    value = compose(source, path, len(name) + 1, len(name) + 1)
    return _set(root, steps, value, source, ())


def _unused_definitions(root: Node) -> list[Problem]:
    """The names that an override gives a value and nothing uses: such an override changes nothing."""
    found: list[Problem] = []
    for section in ("vars", "blocks"):
        node = root.value.get(section) if isinstance(root.value, dict) else None
        if node is None or not isinstance(node.value, dict):
            continue
        given = {name: place for name, place in node.keys.items() if not place.source.numbered}
        words = _words(root, "$" if section == "vars" else "") if given else set()
        for name, place in given.items():
            if name not in words:
                others = [other for other in node.value if other != name and other in words]
                message = f"nothing uses '{section}.{name}'{did_you_mean(name, others, {})}"
                found.append(Problem(message, place, f"names in use: {', '.join(others)}" if others else ""))
    return found


def _words(root: Node, mark: str) -> set[str]:
    """Every word of the texts that have a mark; the keys of mappings too where there is no mark."""
    words: set[str] = set()
    left = [root]
    while left:
        node = left.pop()
        if isinstance(node.value, dict):
            # The names of definitions are not their use.
            left += node.value.values()
            if not mark and node is not root.value.get("blocks"):
                words.update(node.value)
        elif isinstance(node.value, list):
            left += node.value
        elif isinstance(node.value, str) and mark in node.value:
            words.update(re.findall(r"[A-Za-z_]\w*", node.value))
    return words


def _refuse_short(root: Node, path: SpecPath, value: str, place: Place) -> None:
    """Refuse a setting without the section or the kind that has it, with the override that was meant.

    Raises:
        SpecError: the setting is one of the kind that the spec has here, or of a section.
    """
    meant = _meant(root, path)
    if meant:
        message = f"'{show_path(path)}' is not the path of a setting"
        raise SpecError([Problem(message, place, f"write {show_path(meant)}={value}")])


def _meant(root: Node, path: SpecPath) -> SpecPath:
    """The whole path of a setting that `path` names without its section or kind, or ()."""
    first, rest = path[0], path[1:]
    known = [*Experiment.model_fields, *WRITTEN_ONLY]
    if first not in known:
        place = _places(root).get(str(first), ())
        if not place and not rest and not suggest(str(first), known, SETTINGS):
            place = _in_kind(root, ("optimizer",), "optimizers", str(first))
        return (*place, *rest) if place else ()
    for end in range(2, len(path) + 1):
        before, step = path[: end - 1], str(path[end - 1])
        family = _family_at((*before, step)) if isinstance(path[end - 1], str) else None
        if family is not None and step not in kinds(family):
            found = _in_kind(root, before, family, step)
            return (*found, *path[end:]) if found else ()
        section = sections().get(str(before[-1])) if len(before) == 1 else None
        if section is not None and step not in section.model_fields:
            place = _places(root).get(step, ())
            return (*place, *path[end:]) if place[:1] == before else ()
    return ()


def _places(root: Node) -> dict[str, SpecPath]:
    """The path of each setting that is called by its last part alone, the nearest one where several are called so."""
    found: dict[str, SpecPath] = {}
    for section in ("train", "data", "model"):
        for name in sections()[section].model_fields:
            found.setdefault(name, (section, name))
    variables = root.node_at(("vars",))
    for name in variables.value if variables is not None and isinstance(variables.value, dict) else ():
        found.setdefault(name, ("vars", name))
    single = {path: _family_at((*path, "")) for path in ONE_COMPONENT if path[0] != "model"}
    for path, family in sorted(single.items()):
        kind = _kind_at(root, path)
        if family is not None and kind in kinds(family):
            for name in find(family, kind).model_fields:
                found.setdefault(name, (*path, kind, name))
    inners = (("train", "early_stopping"), ("data", "split"), ("train", "checkpoint"), ("train", "best"))
    for section, inner in inners:
        for name in sections()[inner].model_fields:
            found.setdefault(name, (section, inner, name))
    for path, family in sorted(single.items()):
        for kind in kinds(family) if family is not None else ():
            found.setdefault(kind, (*path, kind))
    return found


def _in_kind(root: Node, path: SpecPath, family: str, word: str) -> SpecPath:
    """The path of a setting in the kind at `path`, or of the kind that a word means, or ()."""
    kind = _kind_at(root, path)
    if kind in kinds(family) and word != "decay":
        setting = suggest(word, find(family, kind).model_fields, SETTINGS)
        if setting:
            return (*path, kind, setting)
    named = suggest(word, kinds(family), {}) if snake_case(word) != word else ""
    return (*path, named) if named else ()


def _kind_at(root: Node, path: SpecPath) -> str:
    """The kind that a spec has at a place of one component, or ''."""
    node = root.node_at(path)
    value = node.value if node is not None else None
    kind = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else value
    return kind if isinstance(kind, str) else ""


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
    if isinstance(step, int):
        inner = "…" if rest else source.text.partition("=")[2]
        hint = f"write all of it: {show_path(done)}=[{inner}]"
        raise SpecError([Problem(f"'{show_path(done)}' is not a list here", place, hint)])
    key = step
    settings, keys = _as_mapping(node, key, place, done)
    if rest:
        inner = _with_main(settings.get(key) or Node({}, place), (*done, key), rest[0][0])
        settings[key] = _set(inner, rest, value, source, (*done, key))
    else:
        settings[key] = value
    keys[key] = place
    return Node(settings, node.place, keys, 1 + sum(item.size for item in settings.values()))


def _with_main(node: Node, path: SpecPath, step: str | int) -> Node:
    """The value of a kind with its main setting's name written, where the value alone stands: `csv: x.csv`."""
    if isinstance(node.value, dict) or node.value is None or not isinstance(step, str):
        return node
    kind = path[-1]
    family = _family_at(path)
    cls = find(family, str(kind)) if family and kind in kinds(family) else None
    if cls is None or cls.main is None or step not in cls.model_fields:
        return node
    return Node({cls.main: node}, node.place, {cls.main: node.place}, 1 + node.size)


def _family_at(path: SpecPath) -> str | None:
    """The family of the kind at a place such as `data.source.csv` or `model.layers[2].dropout`; None for no kind."""
    steps = [step for step in path[:-1] if isinstance(step, str)]
    if not steps:
        return None
    owner, setting = ["spec", *steps][-2:]
    if owner in sections():
        return families_in(sections()[owner]).get(setting)
    # Inside a component; only layers have components among their settings. The name of one may mean another thing
    # elsewhere: `average` in `train` is no layer.
    is_layer = steps[0] in ("model", "blocks") and owner in kinds("layers")
    return families_in(find("layers", owner)).get(setting, setting) if is_layer else None


def _as_mapping(node: Node, key: str, place: Place, done: SpecPath) -> tuple[dict[str, Node], dict[str, Place]]:
    """The value at `done` as a mapping in which `key` can be set."""
    if isinstance(node.value, dict):
        other_kind = done in ONE_COMPONENT and key not in node.value
        return ({}, {}) if other_kind else (dict(node.value), dict(node.keys))
    if node.value is None or done in ONE_COMPONENT or node.value == key:
        return {}, {}
    hint = f"write all of it: {show_path(done)}={{{key}: …}}"
    raise SpecError([Problem(f"'{show_path(done)}' is {shorten(node.value)} and has no setting '{key}'", place, hint)])
