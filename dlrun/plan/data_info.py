"""The description of the data: rows, inputs, targets, and the means to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.components.losses import Loss
from dlrun.components.preprocess import Encoder
from dlrun.components.sources import Source, SourceError, SourceNote, SplitName, Table, vocabulary
from dlrun.components.sources._labels import judge
from dlrun.language.experiment import DataSection
from dlrun.language.split import Split
from dlrun.language.target_kind import TargetKind
from dlrun.plan.encode import (
    FROM_DATA,
    Encoded,
    EncodedStep,
    NumberColumn,
    Steps,
    encode,
    how_to_read,
    refuse_strangers,
    steps_of,
)
from dlrun.plan.fields import Chosen, choose, judging, losses_by_output
from dlrun.plan.targets import class_counts, class_numbers, read_labels
from dlrun.plan.unseen import unseen_notes
from dlrun.shapes import Shape, numel, show

if TYPE_CHECKING:
    import numpy as np

    from dlrun.plan.split import Marks, Splits
    from dlrun.stored import StoredArray

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Feature:
    """The values for one input of the network."""

    shape: Shape
    """One row's."""
    vocabulary: int | None
    """One more than the greatest index, where the rows are whole numbers."""
    number_bytes: int = 8
    """The bytes that a number takes once loaded."""
    fields: tuple[str, ...] = ()
    """The data's fields that it is read from."""
    columns: tuple[NumberColumn, ...] = ()
    """Each number of a row, where they are columns."""
    encoded: tuple[EncodedStep, ...] = ()
    """What the encoders learned."""
    stored: bool = False
    """Whether its rows are in a file from which some can be read."""


@dataclass(frozen=True, slots=True)
class Target:
    """Values to predict."""

    shape: Shape
    """One row's: () for one value; the positions of classes of which a row has several."""
    labels: tuple[str, ...] | None
    """The classes in order, where they are classes."""
    wants: TargetKind
    """How it is read."""
    counts: tuple[int, ...] | None = None
    """How many rows, or positions, each class has, in the order of the labels."""
    fields: tuple[str, ...] = ()
    """The data's fields that it is read from."""
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
    table: Table = field(default_factory=Table, repr=False, compare=False)
    """The means to read the rows."""
    as_texts: frozenset[str] = frozenset()
    """The fields of inputs that are read as texts."""
    made: dict[str, Array] = field(default_factory=dict, repr=False, compare=False)
    """(N, columns) by the name of an input: what its encoders made of all rows."""
    dividing: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)
    """The fields that divide the rows, and whether each was read as texts."""
    whole: bool = False
    """Whether all rows are wanted, however long it takes to read them."""
    drawn: dict[tuple[Split, int], Splits] = field(default_factory=dict, repr=False, compare=False)
    """The splits that were drawn last, by what decides them."""

    def inputs(self, name: str) -> Array | StoredArray:
        """(N, ...) all rows of an input, after its encoders; those of a stored input are read when they are asked for.

        Raises:
            SourceError: the data cannot be read.
        """
        return self.made[name] if name in self.made else self.table.numbers(self.features[name].fields)

    def forget(self) -> None:
        """Free the rows that were read: they are on the device."""
        self.made.clear()
        self.drawn.clear()
        self.table.forget()

    def no_index(self, name: str) -> str:
        """The first value of an input that is no index, with its place; '' where there is none, or it is not known."""
        feature = self.features[name]
        known = not feature.encoded and self.table.is_cheap(feature.fields)
        return self.table.no_index(feature.fields) if known else ""

    @property
    def has_targets(self) -> bool:
        """Whether each row's targets are known, or are read at once."""
        return self.table.complete and all(self.table.is_cheap(target.fields) for target in self.targets.values())

    def classes(self, name: str) -> Array | None:
        """(N, ...) the class number of each row of a target, or of each of its positions; None where it is numbers."""
        target = self.targets[name]
        if target.labels is None:
            return None
        return class_numbers(self.table.texts(target.fields[0]), target.labels).reshape(-1, *target.shape)

    def numbers(self, name: str) -> Array | None:
        """(N, ...) a target's numbers; None where it is classes."""
        target = self.targets[name]
        import numpy as np

        return np.asarray(self.table.numbers(target.fields)) if target.labels is None else None

    def splits(self, split: Split, seed: int) -> Splits:
        """The rows of each split.

        Raises:
            SourceError: the rows cannot be split so.
        """
        from dlrun.plan.split import split_rows

        if (split, seed) not in self.drawn:
            classes, labels = self._strata(split) if split.stratify else (None, None)
            self.drawn.clear()  # of many folds only one is kept
            self.drawn[split, seed] = split_rows(classes, self.rows, split, seed, labels, self.marks(split))
        return self.drawn[split, seed]

    def marks(self, split: Split) -> Marks:
        """What the data says of its rows, for the split.

        Raises:
            SourceError: a row has no value in a column of the split, or one that means nothing there; the source keeps
                rows apart, and the split does not take them so.
        """
        from dlrun.plan.split_columns import read_marks

        return read_marks(self.table, split, [name for name, as_text in self.dividing.items() if as_text])

    def can_split(self, split: Split) -> bool:
        """Whether the rows of each split are known, or are found without a library that takes long to import."""
        fields = [*self.dividing, *(name for one in self.targets.values() for name in one.fields if split.stratify)]
        return self.table.complete and (self.whole or self.table.is_cheap(fields) or not fields)

    def _strata(self, split: Split) -> tuple[Array, tuple[str, ...]]:
        """(N,) what each split is to have its share of: a class number, or a quantile of the numbers; and their names.

        Raises:
            SourceError: there is not one target, of one value in each row.
        """
        from dlrun.plan.strata import quantiles

        name = self.stratified
        classes, labels = self.classes(name), self.targets[name].labels
        if classes is not None and labels is not None:
            return classes, labels
        values = self.numbers(name)
        assert values is not None
        return quantiles(values.reshape(-1), split)

    @property
    def stratified(self) -> str:
        """The target by which the rows are stratified: the only one of classes, or the only one.

        Raises:
            SourceError: there is none, or several, or it has several values in each row.
        """
        at = ("split", "stratify")
        if len(self.classed) > 1 or (not self.classed and len(self.targets) > 1):
            names = self.classed or list(self.targets)
            what = "one target of classes" if self.classed else "one target"
            raise SourceError(f"`stratify` needs {what}, and there are {len(names)}: {', '.join(names)}", at)
        if not self.targets:
            raise SourceError("`stratify` needs a target, and no loss uses one", at, "remove `stratify`")
        (name,) = self.classed or self.targets
        if numel(self.targets[name].shape) != 1:
            message = f"`stratify` needs one value in each row, and the target has {show(self.targets[name].shape)}"
            raise SourceError(message, at, "remove `stratify`")
        return name

    def training_rows(self, split: Split, seed: int) -> Array:
        """The rows that preprocessing learns from; all that are read where not all are."""
        import numpy as np

        return self.splits(split, seed).train if self.table.complete else np.arange(self.table.read_rows)

    def other_rows(self, split: Split, seed: int) -> dict[SplitName, Array]:
        """The rows of the other splits; none where not all rows are read."""
        if not self.table.complete:
            return {}
        splits = self.splits(split, seed)
        return {"validation": splits.validation, "test": splits.test}

    @property
    def classed(self) -> list[str]:
        """The targets that are classes."""
        return [name for name, target in self.targets.items() if target.labels is not None]

    @property
    def row_labels(self) -> tuple[str, ...] | None:
        """The classes of the only target that is one class a row; None where there is none, or several."""
        found = [target.labels for target in self.targets.values() if target.labels is not None and not target.shape]
        return found[0] if len(found) == 1 else None


def numbers(data_info: DataInfo) -> list[str]:
    """The names of the targets of numbers."""
    return [name for name, target in data_info.targets.items() if target.wants == "numbers"]


def _positive(target: Target, named_class: str | None) -> int | None:
    """The class for which a binary target is 1: the one that the loss names, 1 of 0 and 1, or the rarer one."""
    if target.wants != "binary" or target.labels is None:
        return None
    if named_class in target.labels:
        return target.labels.index(named_class)
    low, high = (label.lower() for label in target.labels)
    usual = low in ("0", "0.0", "false") and high in ("1", "1.0", "true")
    return 1 if usual else target.rarer


def describe(
    data: DataSection,
    losses: Sequence[Loss],
    folder: Path,
    whole: bool = True,
    seed: int = 0,
    encoders: Steps | None = None,
) -> DataInfo:
    """Describe the data, and read no more of it than that takes.

    Args:
        data: the section of the spec.
        losses: they decide how the targets are read.
        folder: where relative paths start.
        whole: whether all rows are wanted, however long it takes to read them.
        seed: the experiment's, for the split: encoders learn from the training rows.
        encoders: in place of those of the section, where the others cannot be read yet.

    Raises:
        SourceError: what is asked for is not there.
    """
    if encoders is None:
        encoders = [(index, step) for index, step in enumerate(data.preprocess) if isinstance(step, Encoder)]
    assert isinstance(data.source, Source)
    table = data.source.open(folder, whole)
    table.divide(data.split, partial(_training, table, data.split, seed))
    choice = choose(data, losses, table)
    refuse_strangers(encoders, choice.inputs, table)
    steps = {name: steps_of(encoders, name, chosen) for name, chosen in choice.inputs.items()}
    read_as = how_to_read(choice.inputs, steps, table)
    as_numbers, texts = choice.read(read_as.texts, table)
    plain = {name for chosen in choice.inputs.values() for name in chosen.fields} - read_as.lacking
    # The split says itself what a row without a value means there.
    table.read(as_numbers, texts, read_as.lacking | {name for name in choice.split if name in as_numbers} - plain)
    targets: dict[str, Target] = {}
    notes = dict.fromkeys(table.notes())
    by_output = losses_by_output(losses)
    for name, chosen in choice.targets.items():
        target = _labelled(table, chosen) if chosen.labelled else _numbers(table, chosen)
        named = (loss.named_class for _, loss in judging(name, data.target, by_output))
        targets[name] = replace(target, positive=_positive(target, next(filter(None, named), None)))
        if target.labels is not None and chosen.labelled and table.counts(chosen.fields[0]) is None:
            notes |= dict.fromkeys(
                judge(target.labels, table.rows * numel(chosen.shape), chosen.what(table), chosen.at)
            )
    as_texts = frozenset().union(*read_as.texts.values())
    dividing = {name: name in texts for name in choice.split}
    found = DataInfo(table.rows, {}, targets, table=table, as_texts=as_texts, dividing=dividing, whole=whole)
    for name, chosen in choice.inputs.items():
        if steps[name]:
            train = found.training_rows(data.split, seed)
            others = found.other_rows(data.split, seed)
            encoded = encode(table, chosen, steps[name], read_as.texts[name], train, others)
            for one in encoded.steps:
                notes |= dict.fromkeys(unseen_notes(one.index, one.unseen))
            found.features[name], found.made[name] = _encoded(chosen, encoded), encoded.values
        else:
            found.features[name] = _feature(table, chosen)
    return replace(found, notes=tuple(notes))


def _training(table: Table, split: Split, seed: int, rows: int) -> Array:
    """The numbers of the training rows, of so many rows, where no column decides them."""
    from dlrun.plan.split import split_rows
    from dlrun.plan.split_columns import read_marks

    return split_rows(None, rows, split, seed, marks=read_marks(table, split, ())).train


def _feature(table: Table, chosen: Chosen) -> Feature:
    width = max(table.fields[name].number_bytes for name in chosen.fields)
    scalar = all(table.fields[name].shape == () for name in chosen.fields)
    columns = tuple(NumberColumn(name, name, FROM_DATA, FROM_DATA) for name in chosen.fields) if scalar else ()
    stored = len(chosen.fields) == 1 and table.fields[chosen.fields[0]].stored
    return Feature(chosen.shape, table.vocabulary(chosen.fields), width, chosen.fields, columns, stored=stored)


def _encoded(chosen: Chosen, encoded: Encoded) -> Feature:
    shape = (len(encoded.columns),)
    counts = [column.indices for column in encoded.columns if column.indices is not None]
    size = None if counts else vocabulary(encoded.values)
    if counts and len(counts) == len(encoded.columns):
        size = max(counts)  # an index that only rows to come will have counts too
    return Feature(shape, size, 8, chosen.fields, encoded.columns, encoded.steps)


def _labelled(table: Table, chosen: Chosen) -> Target:
    labels = read_labels(table, chosen)
    counts = tuple((table.counts(chosen.fields[0]) or {}).values()) or None
    if counts is None and table.complete:
        counts = class_counts(class_numbers(table.texts(chosen.fields[0]), labels), labels)
    return Target(chosen.shape, labels, chosen.wants, counts, chosen.fields)


def _numbers(table: Table, chosen: Chosen) -> Target:
    if table.is_cheap(chosen.fields):
        values = table.numbers(chosen.fields)
        if chosen.wants == "binary":
            _need_binary(table, chosen, values[:])
    return Target(chosen.shape, None, chosen.wants, fields=chosen.fields)


def _need_binary(table: Table, chosen: Chosen, values: Any) -> None:
    wrong = (values != 0) & (values != 1)
    if not wrong.any():
        return
    row, column = (int(places[0]) for places in wrong.reshape(len(values), -1).nonzero())
    name = chosen.fields[min(column, len(chosen.fields) - 1)]
    raise SourceError(f"{table.cell(name, row)}; several binary values must be 0 or 1", chosen.at)
