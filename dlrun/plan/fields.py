"""Which fields of the data each input and each target is, and how a target is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Any

from dlrun.components.losses import DATA, Loss
from dlrun.components.sources import SourceError, Table
from dlrun.errors import SpecPath
from dlrun.language.experiment import INPUT, TARGET, DataSection
from dlrun.language.suggestions import did_you_mean
from dlrun.language.target_kind import IN_WORDS, TargetKind
from dlrun.shapes import Shape, numel, show


@dataclass(frozen=True, slots=True)
class Chosen:
    """The fields of one input or one target."""

    fields: tuple[str, ...]
    at: SpecPath
    """The path below `data` of the setting that names them."""
    wants: TargetKind = "numbers"
    """How a target is read; `numbers` for an input."""
    shape: Shape = ()
    """One row's, before any preprocessing."""

    def what(self, table: Table) -> str:
        """The first field, as errors call it."""
        return f"the {table.noun} '{self.fields[0]}'"

    @property
    def labelled(self) -> bool:
        """Whether a target is read as texts, not as numbers."""
        return self.wants == "classes" or (self.wants == "binary" and len(self.fields) == 1 and numel(self.shape) == 1)


@dataclass(frozen=True, slots=True)
class Choice:
    """The fields of every input and every target."""

    inputs: dict[str, Chosen]
    targets: dict[str, Chosen]
    split: dict[str, SpecPath] = field(default_factory=dict)
    """The fields that divide the rows, each with its setting."""

    def read(
        self, as_texts: Mapping[str, Collection[str]], table: Table
    ) -> tuple[dict[str, SpecPath], dict[str, SpecPath]]:
        """The fields that are needed as numbers, in order, and those that are needed as texts, each with its setting.

        `as_texts` has for each input its fields that are read as texts. A field that divides the rows is read as its
        type says, unless it is read as texts already; ids of groups are texts where they are written.
        """
        numbers: dict[str, SpecPath] = {}
        texts: dict[str, SpecPath] = {}
        for name, chosen in self.inputs.items():
            for entry in chosen.fields:
                (texts if entry in as_texts[name] else numbers).setdefault(entry, chosen.at)
        for chosen in self.targets.values():
            for entry in chosen.fields:
                (texts if chosen.labelled else numbers).setdefault(entry, chosen.at)
        for entry, at in self.split.items():
            is_id = table.as_written and at[-1] == "group" and entry not in numbers
            if entry not in texts:
                (texts if is_id or table.fields[entry].type != "number" else numbers).setdefault(entry, at)
        return numbers, texts


def choose(data: DataSection, losses: Sequence[Loss], table: Table) -> Choice:
    """The fields of every input, and of every target that a loss uses.

    Raises:
        SourceError: a field does not exist or cannot be used so; losses need one target in two ways, or none.
    """
    inputs = data.features if isinstance(data.features, dict) else {INPUT: data.features}
    targets = data.target if isinstance(data.target, dict) else {TARGET: data.target}
    chosen: dict[str, Chosen] = {}
    by_output = losses_by_output(losses)
    predicted: set[str] = set()
    for name, names in targets.items():
        wants = wanted(name, data.target, losses, by_output)
        at = (TARGET, name) if isinstance(data.target, dict) else (TARGET,)
        if names is None and table.own_target is not None:
            names, at = (table.own_target,), table.at
        elif names is None and wants != "nothing":
            message = f"{_kind(data)} needs `target`, the {table.noun} to predict"
            raise SourceError(message, at, table.listed())
        fields = _find(table, names or (), at)
        predicted.update(fields)
        if wants == "classes" and _are_probabilities(table, fields):
            wants = "probabilities"
        if wants != "nothing":
            chosen[name] = Chosen(fields, at, wants, _target_shape(table, fields, at))
    dividing = _dividing(data, table)
    found = {}
    for name, names in inputs.items():
        at = ("features", name) if isinstance(data.features, dict) else ("features",)
        fields = _rest(data, table, predicted | set(dividing)) if names is None else _find(table, names, at)
        if both := [field for field in fields if any(field in target.fields for target in chosen.values())]:
            message = f"the {table.noun} '{both[0]}' is the target and cannot be a feature too"
            raise SourceError(message, at, "the network would see the answer among its inputs")
        found[name] = Chosen(fields, at, shape=_shape(table, fields, at) or (1,))
    return Choice(found, chosen, dividing)


def _dividing(data: DataSection, table: Table) -> dict[str, SpecPath]:
    """The fields that divide the rows, each with its setting."""
    found: dict[str, SpecPath] = {}
    for setting, name in data.split.columns.items():
        at = ("split", setting)
        if name not in table.fields:
            raise _unknown(table, name, at)
        one = table.fields[name]
        if numel(one.shape) != 1:
            message = f"the {table.noun} '{name}' has {show(one.shape)} values in each row; the split needs one"
            raise SourceError(message, at, table.listed())
        if one.type == "other" or (setting == "column" and one.type == "number"):
            message = f"the {table.noun} '{name}' holds {one.what or 'numbers'}"
            words = "; train, validation or test is expected in each row" if setting == "column" else ""
            raise SourceError(message + words, at, one.way_out or table.listed())
        found.setdefault(name, at)
    return found


def matches(name: str, pattern: str) -> bool:
    """Whether a name or a pattern means a field: a field's own name always means itself."""
    return name == pattern or (any(character in pattern for character in "*?") and fnmatchcase(name, pattern))


def _kind(data: DataSection) -> str:
    return data.source.kind


def _rest(data: DataSection, table: Table, predicted: set[str]) -> tuple[str, ...]:
    """All fields but those that are predicted, of those that the source names if it does."""
    own = table.fields if table.own_features is None else table.own_features
    fields = tuple(name for name in own if name not in predicted)
    at = ("features",)
    if not fields:
        raise SourceError(f"{table.name} has no {table.noun} besides the target", table.at, table.reading_hint())
    chosen = [table.fields[name] for name in fields]
    unclear = any(one.shape or (one.type == "other" and table.noun != "column") for one in chosen)
    if len(fields) > 1 and unclear:  # a table tells all columns that cannot be used at once
        one = "an" if table.noun[0] in "aeiou" else "a"
        message = f"{_kind(data)} needs `features`, the name of {one} {table.noun}"
        raise SourceError(message, at, table.listed())
    return fields


def _find(table: Table, names: Sequence[str], at: SpecPath) -> tuple[str, ...]:
    """The fields that names and patterns choose, in the order of the names."""
    found: dict[str, None] = {}
    for name in names:
        if name in table.fields:
            if name in names[: names.index(name)] or names.count(name) > 1:
                raise SourceError(f"the {table.noun} '{name}' is listed twice", at)
            found[name] = None
            continue
        matching = [field for field in table.fields if matches(field, name)]
        if not matching:
            raise _unknown(table, name, at)
        found |= dict.fromkeys(matching)
    return tuple(found)


def _unknown(table: Table, name: str, at: SpecPath) -> SourceError:
    meant = did_you_mean(name, table.fields, {})
    return SourceError(f"{table.name} has no {table.noun} '{name}'{meant}", at, table.reading_hint() or table.listed())


def _shape(table: Table, names: Sequence[str], at: SpecPath) -> Shape:
    """The shape of one row of some fields together; () for one number."""
    shapes = [table.fields[name].shape for name in names]
    if len(shapes) == 1:
        return shapes[0]
    if deep := [name for name, shape in zip(names, shapes, strict=True) if len(shape) > 1]:
        message = f"the {table.noun} '{deep[0]}' has the shape {show(table.fields[deep[0]].shape)} and stands alone"
        name = at[-1] if len(at) > 1 else "one"
        raise SourceError(message, at, f"an input for each: `features: {{{name}: {deep[0]}, other: …}}`")
    return (sum(numel(shape) for shape in shapes),)


def _are_probabilities(table: Table, names: Sequence[str]) -> bool:
    """Whether a target for a loss on classes has a probability for each: several fields, or fractions side by side."""
    if len(names) > 1:
        return True
    found = [table.fields[name] for name in names]
    return all(
        len(one.shape) == 1 and one.shape[0] > 1 and one.type == "number" and not one.whole for one in found
    ) and bool(found)


def _target_shape(table: Table, names: Sequence[str], at: SpecPath) -> Shape:
    """The shape of one row of a target: () for one value, the positions of several classes."""
    shape = _shape(table, names, at)
    return () if numel(shape) == 1 else shape


def wanted(
    name: str, targets: Any, losses: Sequence[Loss], by_output: dict[str | None, list[tuple[int, Loss]]]
) -> TargetKind:
    """How the losses need a target.

    Raises:
        SourceError: they need it in two ways, or none uses it.
    """
    using = judging(name, targets, by_output)
    if isinstance(targets, dict) and losses and not using:
        outputs = [loss.output for loss in losses if loss.output and loss.output != name]  # that one takes an input
        hint = "each name below `target` is the name of an output: `loss: [mse: {output: " + name + "}]`"
        message = f"no loss uses the target '{name}'{did_you_mean(name, outputs, {})}"
        raise SourceError(message, (TARGET, name), hint)
    found: dict[TargetKind, Loss] = {}
    for index, loss in using:
        found.setdefault(loss.wants, loss)
        if len(found) > 1:
            one, other = found.values()
            message = (
                f"{one.kind} needs the target as {IN_WORDS[one.wants]}, and {other.kind} as {IN_WORDS[other.wants]}"
            )
            hint = "give each output a target of its own: `target: {one: …, other: …}`"
            raise SourceError(message, ("loss", index), hint)
    if not losses:
        return "classes"
    return next(iter(found)) if found else "nothing"


def losses_by_output(losses: Sequence[Loss]) -> dict[str | None, list[tuple[int, Loss]]]:
    """The losses that compare with a target of the data, by the output that they name, each with its index."""
    found: dict[str | None, list[tuple[int, Loss]]] = {}
    for index, loss in enumerate(losses):
        if loss.compared_with == DATA:
            found.setdefault(loss.output, []).append((index, loss))
    return found


def judging(name: str, targets: Any, by_output: dict[str | None, list[tuple[int, Loss]]]) -> list[tuple[int, Loss]]:
    """The losses that compare with a target, in their order."""
    if not isinstance(targets, dict):
        return sorted((pair for pairs in by_output.values() for pair in pairs), key=itemgetter(0))
    unnamed = by_output.get(None, []) if len(targets) == 1 else []
    return sorted([*by_output.get(name, []), *unnamed], key=itemgetter(0))
