"""PyYAML's events -> nodes, by YAML 1.2's rules.

PyYAML scans and parses; the meaning of its events is decided here, because the language reads scalars as YAML 1.2 does
and needs the place of every key and value. Events are consumed in a loop, so that no nesting can exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from dlrun.errors import Place, Problem, Source, SpecError, SpecPath
from dlrun.language.text.node import Node

MAX_DEPTH = 100
MAX_NODES = 200_000
LEAST_TEXT = 8
"""Characters a value in a text of more than MAX_NODES values: without aliases no spec needs fewer."""
MAX_DIGITS = 40

_INT = re.compile(r"[-+]?[0-9]+\Z")
_HEX_OR_OCTAL = re.compile(r"0(?:x[0-9a-fA-F]+|o[0-7]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def compose(source: Source, path: SpecPath = (), offset: int = 0, start: int = 0, max_depth: int = MAX_DEPTH) -> Node:
    """Turn a source's text (from character `start`, shown `offset` columns further right) into nodes."""
    return _Composer(source, path, offset, max_depth).compose(source.text[start:])


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end has not been reached."""

    node: Node
    path: SpecPath
    anchor: str | None
    flow: bool
    """Written in brackets."""
    key: str | None = None
    key_place: Place | None = None


class _Composer:
    def __init__(self, source: Source, path: SpecPath, offset: int, max_depth: int):
        self.source = source
        self.max_depth, self.max_nodes = max_depth, max(MAX_NODES, len(source.text) // LEAST_TEXT)
        self.base = path
        self.offset = offset
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node | None] = {}
        self.stack: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0

    def compose(self, text: str) -> Node:
        try:
            for event in _events(text):
                self.take(event)
        except yaml.YAMLError as error:
            raise SpecError([*self.problems, self.syntax_problem(error)]) from None
        if self.problems:
            raise SpecError(self.problems)
        if self.root is None:
            return Node(None, Place(self.source, 1, 1 + self.offset, 0, self.base))
        return self.root

    def take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents == 2:
                    self.fail("a spec is one document; this '---' starts a second one", self.place(event, ()))
            case yaml.ScalarEvent():
                self.add_scalar(event)
            case yaml.AliasEvent():
                self.add_alias(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self.open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.close(event.end_mark)

    def place(self, event: Any, path: SpecPath) -> Place:
        mark, end = event.start_mark, event.end_mark
        same_line = end.line == mark.line
        length = end.column - mark.column if same_line else len(self.source.line(mark.line + 1)) - mark.column
        shift = self.offset if mark.line == 0 else 0
        return Place(self.source, mark.line + 1, mark.column + 1 + shift, max(0, length), path)

    def path_of_next(self) -> SpecPath:
        if not self.stack:
            return self.base
        top = self.stack[-1]
        if isinstance(top.node.value, list):
            return (*top.path, len(top.node.value))
        return (*top.path, top.key) if top.key is not None else top.path

    def expects_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].node.value, dict) and self.stack[-1].key is None

    def add_scalar(self, event: Any) -> None:
        if self.expects_key():
            self.add_key(event)
            return
        place = self.place(event, self.path_of_next())
        self.refuse_tag(event, place)
        plain = event.style in (None, "")
        value = self.resolve(event.value, place) if plain else event.value
        self.add(Node(value, place), event.anchor)

    def add_key(self, event: Any) -> None:
        top = self.stack[-1]
        place = self.place(event, top.path)
        self.refuse_tag(event, place)
        key = event.value
        if key == "<<" and event.style in (None, ""):
            self.fail("'<<' is not part of YAML 1.2", place, "use `extends`, `vars` or `blocks` to share settings")
        first = top.node.keys.get(key)
        if first is not None:
            note = (("first written here", first),)
            self.fail(f"'{key}' is written twice", place, "keep one of the two", note)
        top.key, top.key_place = key, place
        if event.anchor:
            self.anchors[event.anchor] = Node(key, place)

    def add_alias(self, event: Any) -> None:
        place = self.place(event, self.path_of_next())
        if event.anchor not in self.anchors:
            self.stop(f"there is no anchor '&{event.anchor}' before this alias", place)
        node = self.anchors[event.anchor]
        if node is None:
            self.stop(f"'*{event.anchor}' is inside the value that it names, which would never end", place)
        if self.expects_key():
            self.stop("an alias cannot be a key", place)
        assert node is not None
        self.add(node, None)

    def open(self, event: Any) -> None:
        place = self.place(event, self.path_of_next())
        if self.expects_key():
            self.stop("a key must be a word, not a list or a mapping", place)
        self.refuse_tag(event, place)
        if len(self.stack) >= self.max_depth:
            self.stop(f"nested more than {self.max_depth} levels deep", place)
        if event.anchor:
            self.anchors[event.anchor] = None
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(Node(value, place), self.path_of_next(), event.anchor, event.flow_style))

    def close(self, end: Any) -> None:
        closed = self.stack.pop()
        place = closed.node.place
        shift = self.offset if end.line == 0 else 0
        if closed.flow and end.line + 1 == place.line:
            closed.node.place = replace(place, length=end.column + 1 + shift - place.column)
        self.add(closed.node, closed.anchor)

    def add(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if not self.stack:
            if self.root is None:
                self.root = node
            return
        top = self.stack[-1]
        top.node.size += node.size
        if top.node.size > self.max_nodes:
            self.stop(f"this expands to more than {self.max_nodes:,} values", top.node.place)
        if isinstance(top.node.value, list):
            top.node.value.append(node)
            return
        assert top.key is not None and top.key_place is not None
        top.node.value[top.key] = node
        top.node.keys[top.key] = top.key_place
        top.key = top.key_place = None

    def resolve(self, text: str, place: Place) -> Any:
        try:
            return resolve_scalar(text)
        except ValueError as error:
            self.fail(str(error), place)
            return 0

    def refuse_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            self.fail(f"tags are not part of the language: '{_short_tag(event.tag)}'", place, "remove the tag")

    def fail(self, message: str, place: Place, hint: str = "", notes: tuple[tuple[str, Place], ...] = ()) -> None:
        self.problems.append(Problem(message, place, hint, notes))

    def stop(self, message: str, place: Place) -> None:
        raise SpecError([*self.problems, Problem(message, place)])

    def syntax_problem(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is None:
            return self.character_problem(error)
        line, column = mark.line + 1, mark.column + 1 + (self.offset if mark.line == 0 else 0)
        if not "".join(self.source.text.split("\n")[mark.line :]).strip():
            # A missing bracket is noticed at the end, perhaps in an empty line: show the last line with text.
            rows = self.source.text.rstrip().split("\n")
            line, column = len(rows), len(rows[-1]) + 1
        place = Place(self.source, line, column, 1, self.base)
        reason = getattr(error, "problem", None) or "not YAML"
        context = getattr(error, "context", None)
        message = f"this is not YAML: {reason}" + (f" ({context})" if context else "")
        return Problem(message, place, _syntax_hint(self.source, place, reason))

    def character_problem(self, error: yaml.YAMLError) -> Problem:
        position = getattr(error, "position", 0) or 0
        text = self.source.text
        bad = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
        position = bad.start() if bad else min(position, len(text))
        before = text[:position]
        place = Place(self.source, before.count("\n") + 1, position - before.rfind("\n"), 1, self.base)
        return Problem(f"a character that YAML does not allow: {text[position : position + 1]!r}", place, "remove it")


def resolve_scalar(text: str) -> Any:
    """The value of an unquoted scalar, by YAML 1.2's core schema.

    Raises:
        ValueError: a whole number with too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text) or _HEX_OR_OCTAL.match(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
        return int(text) if _INT.match(text) else int(text, 0)
    return float(text) if _FLOAT.match(text) else text


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except UnicodeEncodeError as error:
        raise yaml.reader.ReaderError("", error.start, 0, "utf-8", "lone surrogate") from None


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _syntax_hint(source: Source, place: Place, reason: str) -> str:
    line = source.line(place.line)
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in reason:
        return "YAML is indented with spaces, never tabs"
    if "mapping values are not allowed" in reason:
        return "is a space missing after ':', or is this line indented too far?"
    if "${" in line:
        return "an expression is written $(...), with round brackets"
    if "expected <block end>" in reason or "did not find expected" in reason:
        return "look at the indentation and at the brackets of this line and the one before"
    return ""
