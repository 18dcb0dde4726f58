"""The description of the data before it is loaded: rows, inputs, targets, and the sizes of the splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from dlrun.components.losses import Loss
from dlrun.components.sources import Request, Source, SourceError, SourceNote
from dlrun.language.experiment import INPUT, TARGET, DataSection, Split
from dlrun.language.suggestions import did_you_mean
from dlrun.language.target_kind import IN_WORDS, TargetKind
from dlrun.shapes import Shape

Read = TypeVar("Read")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Feature:
    """The values for one input of the network."""

    shape: Shape
    """One row's."""
    vocabulary: int | None
    """One more than the greatest index, where the rows are whole numbers."""
    number_bytes: int = 8
    """The bytes that a number takes once loaded."""
    no_index: str = field(default="", compare=False)
    """A value that is no index, with its place; '' where there is none, or that is not known."""


@dataclass(frozen=True, slots=True)
class Target:
    """Values to predict."""

    shape: Shape
    """One row's: () for one value."""
    labels: tuple[str, ...] | None
    """The classes in order, where they are classes."""
    wants: TargetKind
    """How it is read."""
    counts: tuple[int, ...] | None = None
    """How many rows each class has, in the order of the labels."""
    classes: Sequence[int] | None = field(default=None, repr=False, compare=False)
    """Each row's class number; None where that is not known without loading."""
    values: Sequence[Any] | None = field(default=None, repr=False, compare=False)
    """The numbers of each row, one row after the other, where they are numbers; None where they are not known."""
    positive: int | None = None
    """The number of the class for which a binary target is 1; None where the target is no class, or not binary."""

    @property
    def rarer(self) -> int | None:
        """The number of the rarer one of two classes, the second of equally frequent ones; None without two."""
        if self.labels is None or len(self.labels) != 2:
            return None
        return 0 if self.counts is not None and self.counts[0] < self.counts[1] else 1


@dataclass(frozen=True, slots=True)
class DataInfo:
    """The data as a whole."""

    rows: int
    features: dict[str, Feature]
    """By the name of the input."""
    targets: dict[str, Target]
    """By the name of the output, or `target` for all outputs."""
    notes: tuple[SourceNote, ...] = ()
    """What can be meant but rarely is."""

    @property
    def classed(self) -> list[str]:
        """The targets that are classes."""
        return [name for name, target in self.targets.items() if target.labels is not None]


def numbers(data_info: DataInfo) -> list[str]:
    """The names of the targets of numbers."""
    return [name for name, target in data_info.targets.items() if target.wants == "numbers"]


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many rows each split has."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True)
class Sameness:
    """Whether numbers that outputs are compared with differ between the rows of training, validation and test."""

    rows: tuple[int, ...]
    """How many rows each split has."""
    constant: tuple[bool, ...]
    """Whether a number is the same in all rows of the split."""
    several: bool
    """Whether a row has several numbers."""


def split_sizes(rows: int, split: Split) -> SplitSizes:
    """How many rows each split gets: shares are rounded to the nearest row, and the rest is for training."""
    validation, test = round(rows * split.validation), round(rows * split.test)
    return SplitSizes(rows - validation - test, validation, test)


def unstratifiable(counts: Sequence[int], labels: Sequence[str], sizes: SplitSizes) -> Iterator[tuple[str, str]]:
    """Why the rows cannot be split by class, each with a way out; nothing where they can.

    Args:
        counts: how many rows each class has.
        labels: the names of the classes.
        sizes: how many rows each split is to have.
    """
    wanted = {"train": sizes.train, "validation": sizes.validation, "test": sizes.test}
    splits = {name: size for name, size in wanted.items() if size or name == "train"}
    for label, count in zip(labels, counts, strict=True):
        if count < len(splits):
            message = (
                f"class '{label}' has {count} row{'s' * (count != 1)}, too few to be in each of {', '.join(splits)}"
            )
            yield message, "add rows of the class, or leave `stratify` out"
    for name, size in splits.items():
        if size < len(counts):
            message = f"{name} has {size} row{'s' * (size != 1)}, too few for one of each of {len(counts)} classes"
            yield message, "raise its share, or leave `stratify` out"


@dataclass(frozen=True, slots=True)
class Part:
    """One input and one target: a source reads one pair at a time."""

    input: str
    target: str
    request: Request


def parts(data: DataSection, losses: Sequence[Loss], folder: Path) -> list[Part]:
    """The requests to the source, so that every input and every target is read at least once.

    Raises:
        SourceError: losses need one target in two ways, or no loss uses a target.
    """
    inputs = data.features if isinstance(data.features, dict) else {INPUT: data.features}
    targets = data.target if isinstance(data.target, dict) else {TARGET: data.target}
    by_output = _by_output(losses)
    wants: dict[str, TargetKind] = {name: _wanted(name, data.target, losses, by_output) for name in targets}
    predicted = tuple(name for names in targets.values() for name in names or ())
    found = []
    for index in range(max(len(inputs), len(targets))):
        input_name, features = list(inputs.items())[min(index, len(inputs) - 1)]
        target_name, target = list(targets.items())[min(index, len(targets) - 1)]
        others = tuple(name for name in predicted if name not in (target or ()))
        request = Request(folder, features, target, wants[target_name], others)
        found.append(Part(input_name, target_name, request))
    return found


def _wanted(
    name: str, targets: Any, losses: Sequence[Loss], by_output: dict[str | None, list[tuple[int, Loss]]]
) -> TargetKind:
    """How the losses need a target."""
    judging = _judging(name, targets, by_output)
    if isinstance(targets, dict) and losses and not judging:
        outputs = [loss.output for loss in losses if loss.output and loss.output != name]  # that one takes an input
        hint = "each name below `target` is the name of an output: `loss: [mse: {output: " + name + "}]`"
        message = f"no loss uses the target '{name}'{did_you_mean(name, outputs, {})}"
        raise SourceError(message, (TARGET, name), hint)
    wanted: dict[TargetKind, Loss] = {}
    for index, loss in judging:
        wanted.setdefault(loss.wants, loss)
        if len(wanted) > 1:
            one, other = wanted.values()
            message = (
                f"{one.kind} needs the target as {IN_WORDS[one.wants]}, and {other.kind} as {IN_WORDS[other.wants]}"
            )
            hint = "give each output a target of its own: `target: {one: …, other: …}`"
            raise SourceError(message, ("loss", index), hint)
    if not losses:
        return "classes"
    return next(iter(wanted)) if wanted else "nothing"


def _by_output(losses: Sequence[Loss]) -> dict[str | None, list[tuple[int, Loss]]]:
    """The losses that compare with a target of the data, by the output that they name, each with its index."""
    found: dict[str | None, list[tuple[int, Loss]]] = {}
    for index, loss in enumerate(losses):
        if loss.of_input is None:
            found.setdefault(loss.output, []).append((index, loss))
    return found


def _judging(name: str, targets: Any, by_output: dict[str | None, list[tuple[int, Loss]]]) -> list[tuple[int, Loss]]:
    """The losses that compare with a target, in their order."""
    if not isinstance(targets, dict):
        return sorted((pair for pairs in by_output.values() for pair in pairs), key=itemgetter(0))
    unnamed = by_output.get(None, []) if len(targets) == 1 else []
    return sorted([*by_output.get(name, []), *unnamed], key=itemgetter(0))


def _positive(target: Target, named_class: str | None) -> int | None:
    """The class for which a binary target is 1: the one that the loss names, 1 of 0 and 1, or the rarer one."""
    if target.wants != "binary" or target.labels is None:
        return None
    if named_class in target.labels:
        return target.labels.index(named_class)
    low, high = (label.lower() for label in target.labels)
    usual = low in ("0", "0.0", "false") and high in ("1", "1.0", "true")
    return 1 if usual else target.rarer


def describe(data: DataSection, losses: Sequence[Loss], folder: Path) -> DataInfo:
    """Describe the data without loading it.

    Raises:
        SourceError: what is asked for is not there.
    """
    rows = 0
    features: dict[str, Feature] = {}
    targets: dict[str, Target] = {}
    notes: dict[SourceNote, None] = {}
    by_output = _by_output(losses)
    for part, found in _each(data, losses, folder, lambda source, request: source.describe(request)):
        if rows and found.rows != rows:
            at = ("features", part.input) if isinstance(data.features, dict) else (TARGET, part.target)
            raise SourceError(f"there are {found.rows} rows here, and {rows} in the entry before", at)
        rows = found.rows
        features[part.input] = Feature(found.shape, found.vocabulary, found.number_bytes, found.no_index)
        wants = part.request.wants
        target = Target(found.target_shape, found.labels, wants, found.counts, found.classes, found.values)
        named = (loss.named_class for _, loss in _judging(part.target, data.target, by_output))
        targets[part.target] = replace(target, positive=_positive(target, next(filter(None, named), None)))
        notes |= dict.fromkeys(found.notes)
    needed = {name: target for name, target in targets.items() if target.wants != "nothing"}
    return DataInfo(rows, features, needed, tuple(notes))


def load_parts(data: DataSection, losses: Sequence[Loss], folder: Path) -> Iterator[tuple[Part, Any]]:
    """The rows, an input and a target at a time.

    Raises:
        SourceError: what is asked for is not there, or is no number where one is needed.
    """
    return _each(data, losses, folder, lambda source, request: source.load(request))


def _each(
    data: DataSection, losses: Sequence[Loss], folder: Path, read: Callable[[Source, Request], Read]
) -> Iterator[tuple[Part, Read]]:
    assert isinstance(data.source, Source)
    for part in parts(data, losses, folder):
        with _by_name(data, part):
            found = read(data.source, part.request)
        yield part, found


@contextmanager
def _by_name(data: DataSection, part: Part) -> Iterator[None]:
    """Add to an error's path the name of the input or target, where there are several."""
    try:
        yield
    except SourceError as error:
        head, *rest = error.at
        given = {"features": (data.features, part.input), "target": (data.target, part.target)}
        setting, named = given.get(str(head), (None, ""))
        if not isinstance(setting, dict):
            raise
        raise SourceError(error.message, (head, named, *rest), error.hint) from None
