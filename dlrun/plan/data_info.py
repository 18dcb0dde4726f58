"""What is known of the data: rows, inputs, targets, and the means to read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlrun.components.sources import SourceError, SourceNote, SplitName, Table
from dlrun.components.sources._extents import Extent
from dlrun.language.split import Split
from dlrun.language.target_kind import TargetKind
from dlrun.plan.encode import EncodedStep, NumberColumn
from dlrun.plan.encoded import Encoded
from dlrun.plan.targets import class_numbers
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

    ignored: int | None = None
    """The number of the class whose positions do not count, such as that of padding."""

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
    made: dict[str, Encoded] = field(default_factory=dict, repr=False, compare=False)
    """By the name of an input what its encoders made of all rows."""
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
        return self.made[name].values if name in self.made else self.table.numbers(self.features[name].fields)

    def known(self, name: str) -> tuple[str | None, Extent | None]:
        """The digest and the extent of all rows of an input, where they are known without reading them."""
        if name in self.made:
            return self.made[name].digest, self.made[name].extent
        fields = self.features[name].fields
        return self.table.digest(fields), self.table.extent(fields)

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
        if target.labels is None or target.wants == "probabilities":
            return None
        return class_numbers(self.table.texts(target.fields[0]), target.labels).reshape(-1, *target.shape)

    def numbers(self, name: str) -> Array | None:
        """(N, ...) a target's numbers, or its probabilities; None where it is classes."""
        target = self.targets[name]
        import numpy as np

        is_numbers = target.labels is None or target.wants == "probabilities"
        return np.asarray(self.table.numbers(target.fields)) if is_numbers else None

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
            return classes.astype("i8"), labels
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
        has_class = [name for name, target in self.targets.items() if target.labels is not None]
        return [name for name in has_class if self.targets[name].wants != "probabilities"]

    @property
    def row_labels(self) -> tuple[str, ...] | None:
        """The classes of the only target that is one class a row; None where there is none, or several."""
        found = [self.targets[name].labels for name in self.classed if not self.targets[name].shape]
        return found[0] if len(found) == 1 else None


def numbers(data_info: DataInfo) -> list[str]:
    """The names of the targets of numbers."""
    return [name for name, target in data_info.targets.items() if target.wants == "numbers"]
