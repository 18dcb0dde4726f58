"""Reads a file and overrides into an Experiment, section by section, so that one mistake does not hide another."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlrun.components.preprocess import Encoder
from dlrun.components.sources import Source, SourceError
from dlrun.errors import MAX_SHOWN, Place, Problem, SpecError, SpecPath
from dlrun.errors import Source as TextSource
from dlrun.language.component import choose, families_in
from dlrun.language.experiment import NEEDED_WITH_DATA, WRITTEN_ONLY, DataSection, Experiment, as_tuple
from dlrun.language.kinds import find, kinds, synonyms
from dlrun.language.messages import setting_problems
from dlrun.language.paths import WrittenIn, with_paths_of
from dlrun.language.settings_schema import sections
from dlrun.language.suggestions import did_you_mean, few_suggestions
from dlrun.language.synonyms import SETTINGS
from dlrun.language.text.document import Document, read_document
from dlrun.language.text.expansion import Broken, Expander
from dlrun.language.text.expressions import ExpressionError
from dlrun.language.text.node import Node
from dlrun.language.text.overrides import with_bases, with_overrides
from dlrun.plan.data_info import DataInfo
from dlrun.plan.data_sizes import size_from_data
from dlrun.plan.describe_data import describe

FIRST = ("loss", "data")
"""Read before the others, in this order, because `$classes` and similar names get their values from them."""
DESCRIBING = ("source", "features", "target", "split")
"""The settings of `data` that describe the data; the others may use `$classes` and similar names."""


@dataclass(frozen=True, slots=True)
class DataFound:
    """A look at the data: its description, or the problem that there is; neither where the spec does not say enough."""

    info: DataInfo | None = None
    problem: Problem | None = None


@dataclass
class Reading:
    """The sections of a spec that could be read, and everything that is wrong with it."""

    document: Document
    tree: Node
    """The sections, expanded: a path into the experiment leads to its place here."""
    sections: dict[str, Any] = field(default_factory=dict)
    """The sections that are right, validated."""
    written: set[str] = field(default_factory=set)
    """The sections that the file has."""
    problems: list[Problem] = field(default_factory=list)
    described: DataSection | None = None
    """The settings of `data` that describe the data, alone."""
    seed: int = 0
    """The experiment's, read before the section is."""
    encoders: list[tuple[int, Encoder]] = field(default_factory=list)
    """The encoders of `data.preprocess`, each with its index: the data is described by what they make of it."""
    whole: bool = False
    """Whether all rows are wanted, however long it takes to read them."""

    @property
    def folder(self) -> Path:
        """Where relative paths of the spec start."""
        return self.document.folder

    def place(self, path: SpecPath, at_key: bool = False) -> Place:
        """Where something of the experiment was written."""
        return self.tree.locate(path, at_key)

    def problem(self, message: str, path: SpecPath, hint: str = "", at_key: bool = False) -> Problem:
        """A problem about what was written at `path`; it is not added."""
        return Problem(message, self.place(path, at_key), hint)

    def note(self, name: str, message: str, path: SpecPath, hint: str = "", at_key: bool = False) -> Problem:
        """A note about what was written at `path`; it is not added."""
        return Problem(message, self.place(path, at_key), hint, note=name)

    def report(self, problem: Problem | None) -> None:
        """Add a problem, if it is one and is not there yet."""
        if problem is not None and problem not in self.problems:
            self.problems.append(problem)

    @property
    def errors(self) -> list[Problem]:
        """The problems that are not notes."""
        return [problem for problem in self.problems if not problem.note]

    def unsilenced(self, problems: Sequence[Problem]) -> list[Problem]:
        """The problems without the notes that the spec allows."""
        allowed = self.sections.get("allow", ())
        return [problem for problem in problems if problem.note not in allowed]

    @property
    def experiment(self) -> Experiment:
        """The spec as one object; only once nothing is wrong."""
        return Experiment.read({"name": default_name(self.document), **self.sections})

    @cached_property
    def data(self) -> DataFound:
        """The description of the data. The first use reads files, so it stays lazy: to read a spec does not need it."""
        losses = as_tuple(self.sections.get("loss"))
        known = losses or "loss" not in self.written
        if not known or self.described is None or not isinstance(self.described.source, Source):
            return DataFound()
        try:
            return DataFound(describe(self.described, losses, self.folder, self.whole, self.seed, self.encoders))
        except SourceError as error:
            at = error.at if error.at[:1] == ("loss",) else ("data", *error.at)
            return DataFound(problem=self.problem(error.message, at, error.hint))


def default_name(document: Document) -> str:
    """The file's name, as far as a run can be called that."""
    stem = document.file.stem if document.file else "experiment"
    # An accent is a character of its own in this form, so that its letter stays.
    plain = "".join(c for c in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(c))
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in plain).strip("._-")
    return kept[:100] or "experiment"


def read_spec(file: Path, overrides: Sequence[str] = (), whole: bool = False) -> Reading:
    """Read a spec as far as possible; everything that is wrong is in `problems`.

    The data is read when a size of it is needed: its first rows, or, with `whole`, all of them.

    Raises:
        SpecError: the file as a whole cannot be read.
    """
    try:
        document = with_overrides(with_bases(read_document(file)), overrides)
        return read(document, whole)
    except RecursionError:
        raise SpecError(f"{file} is nested too deep") from None


@few_suggestions()
def read(document: Document, whole: bool = False) -> Reading:
    """Read a document's sections; see `read_spec`."""
    root = document.root
    reading = Reading(document, Node({}, root.place), whole=whole)
    if root.value is None:
        raise SpecError([Problem("the file is empty", root.place, "`dlrun new FILE` writes one to start from")])
    if not isinstance(root.value, dict):
        raise SpecError([Problem("a spec is a mapping: `data:`, `model:`, `loss:` …", root.place)])
    _report_unknown_sections(reading, root)
    expander = Expander(root, lambda name, of="": _from_data(reading, name, of), reading.problems)
    names = [name for name in root.value if name in Experiment.model_fields]
    for name in sorted(names, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)):
        if name == "data":
            reading.described = _describe(root, reading.folder, reading.problems)
            reading.encoders, reading.seed = _encoders(root), _seed(root)
        _read_section(reading, expander, name)
    expander.finish()
    if "data" in reading.written:
        for name in NEEDED_WITH_DATA:
            if name not in reading.written:
                place = reading.place(("data",), at_key=True)
                reading.problems.append(Problem(f"with `data`, a spec needs `{name}`", place))
    elif "model" not in reading.written:
        hint = "a spec has at least a `model`"
        reading.problems.append(Problem("there is no `model`", root.place, hint))
    return reading


def _describe(root: Node, folder: Path, problems: list[Problem]) -> DataSection | None:
    """The settings of `data` that describe the data; None where they are wrong."""
    data = root.value["data"]
    if not isinstance(data.value, dict):
        return None
    kept = {key: node for key, node in data.value.items() if key in DESCRIBING}
    part = Node({**root.value, "data": Node(kept, data.place, data.keys)}, root.place, root.keys)
    expander = Expander(part, _not_yet)
    node = expander.section("data")
    problems += expander.problems
    try:
        if expander.problems:
            return None
        return with_paths_of(DataSection.read(node.plain()), folder, _written_in(node))
    except ValidationError:  # reported when the whole section is read
        return None


def _seed(root: Node) -> int:
    """The seed; the default where it is wrong, which is reported when the section is read."""
    default = Experiment.model_fields["seed"].default
    if "seed" not in root.value:
        return default
    expander = Expander(root, _not_yet)
    found = expander.section("seed").plain()
    return found if isinstance(found, int) and 0 <= found < 2**63 and not expander.problems else default


def _encoders(root: Node) -> list[tuple[int, Encoder]]:
    """The encoders among the steps; whatever is wrong is reported when the whole section is read."""
    data = root.value["data"]
    if not isinstance(data.value, dict) or "preprocess" not in data.value:
        return []
    alone = Node({"preprocess": data.value["preprocess"]}, data.place, data.keys)
    steps = Expander(Node({**root.value, "data": alone}, root.place, root.keys), _not_yet).section("data").plain()
    found = []
    for index, step in enumerate(steps["preprocess"] if isinstance(steps["preprocess"], tuple) else ()):
        kind = next(iter(step), "") if isinstance(step, dict) else step
        if kind in kinds("preprocess") and issubclass(find("preprocess", kind), Encoder):
            with suppress(ValidationError):
                found.append((index, choose("preprocess", step)))
    return found


def _not_yet(name: str, of: str = "") -> int:
    raise ExpressionError(f"`${name}` comes from the data and cannot be used to describe it")


def _read_section(reading: Reading, expander: Expander, name: str) -> None:
    node = expander.root.value[name]
    if node.value is None:
        return
    reading.written.add(name)
    place = expander.root.keys[name]
    reading.tree.value[name], reading.tree.keys[name] = node, place
    node = expander.section(name)
    reading.tree.value[name] = node
    try:
        part = Experiment.read({name: node.plain()})
        section = with_paths_of(getattr(part, name), reading.folder, _written_in(reading.tree), (name,))
    except ValidationError as error:
        for item in setting_problems(error):
            if not isinstance(reading.tree.value_at(item.path), Broken):
                reading.problems.append(reading.problem(item.message, item.path, item.hint, item.at_key))
        return
    reading.sections[name] = section


def _written_in(node: Node) -> WrittenIn:
    def source(path: SpecPath) -> TextSource | None:
        found = node.node_at(path)
        return found.written_in if found is not None else None

    return source


def _report_unknown_sections(reading: Reading, root: Node) -> None:
    known = [*Experiment.model_fields, *WRITTEN_ONLY]
    homes = _homes()
    unknown = [name for name in root.keys if name not in known]
    for index, name in enumerate(unknown):
        place = root.keys[name]
        if name in homes:
            problem = Problem(f"'{name}' belongs in `{homes[name]}`", place, f"indent it below `{homes[name]}:`")
        elif index >= MAX_SHOWN:  # to look for a word that is meant takes long
            problem = Problem(f"unknown section '{name}'", place)
        elif name in ("lr", "learning_rate") or name in synonyms("optimizers"):
            problem = Problem(f"unknown section '{name}'", place, "write `optimizer: {adam: {lr: 1e-3}}`")
        else:
            meant = did_you_mean(name, known, SETTINGS)
            problem = Problem(
                f"unknown section '{name}'{meant}", place, "" if meant else "sections: " + ", ".join(known)
            )
        reading.problems.append(problem)


@cache
def _homes() -> dict[str, str]:
    """The section that each setting, and each kind of a section's family, belongs in."""
    homes: dict[str, str] = {}
    for section in ("data", "model", "train"):
        for name in sections()[section].model_fields:
            homes.setdefault(name, section)
    for section, family in families_in(Experiment).items():
        for kind in kinds(family):
            homes.setdefault(kind, section)
    return homes


def _from_data(reading: Reading, name: str, of: str = "") -> int:
    if "data" not in reading.written:
        raise ExpressionError(f"`${name}` comes from the data, and this spec has no `data`", hint="write the number")
    if reading.data.info is None:
        reading.report(reading.data.problem)
        raise ExpressionError("", length=0)
    return size_from_data(reading.data.info, name, of)
