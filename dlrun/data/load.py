"""The rows as arrays, the target as the loss needs it, and digests by which a later run knows the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.components.losses import Loss
from dlrun.components.sources import Rows, SourceError, SourceNote
from dlrun.data.split import Indices, Splits, split_rows
from dlrun.language.experiment import DataSection
from dlrun.plan.data_info import DataInfo, Feature, Target, load_parts
from dlrun.shapes import show

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The target values of all rows."""

    values: Array
    """Class numbers (N,) int64; for two classes as 0 and 1, and for numbers, (N, targets) float32."""
    classes: Indices | None
    """Each row's class number, also where `values` are 0 and 1; None where the target is numbers."""
    labels: tuple[str, ...] | None
    """The name of each class number."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All rows, in the order of the source."""

    features: dict[str, Array]
    """For each input (N, ...) as the source has them: float32, float64 or whole numbers; see `without_features`."""
    targets: dict[str, Answers]
    splits: Splits
    digest: str
    """SHA-256 over type, shape and bytes of features and targets."""
    split_digest: str
    """SHA-256 over the rows of each split."""
    notes: tuple[SourceNote, ...] = ()
    """What can be meant but rarely is, and only the values of the data show."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.splits.train) + len(self.splits.validation) + len(self.splits.test)

    def without_features(self) -> Loaded:
        """The same without the features: they take the most memory, and are not read again once on the device."""
        return replace(self, features={})


def only_classes(targets: Mapping[str, Answers]) -> Answers | None:
    """The one target of classes; None where there is none, or several."""
    found = [answers for answers in targets.values() if answers.classes is not None]
    return found[0] if len(found) == 1 else None


def load(data: DataSection, losses: Sequence[Loss], folder: Path, data_info: DataInfo, seed: int) -> Loaded:
    """Read the rows and split them.

    Args:
        data: the section of the spec.
        losses: they decide how the targets are read.
        folder: where relative paths start.
        data_info: the source's columns, shapes and classes, as read before.
        seed: the experiment's, for the split.

    Raises:
        SourceError: the data cannot be read, or has changed since `data_info` was read.
    """
    features: dict[str, Array] = {}
    targets: dict[str, Answers] = {}
    for part, rows in load_parts(data, losses, folder):
        if part.input not in features:
            features[part.input] = _features(rows, data_info.rows, data_info.features[part.input])
        if part.target in data_info.targets and part.target not in targets:
            targets[part.target] = _answers(rows.target, data_info.rows, data_info.targets[part.target])
    classed = only_classes(targets)
    classes, labels = (classed.classes, classed.labels) if classed else (None, None)
    splits = split_rows(classes, data_info.rows, data.split, seed, labels)
    digest = _digest(*features.values(), *(answers.values for answers in targets.values()))
    return Loaded(features, targets, splits, digest, _digest(splits.train, splits.validation, splits.test))


def _features(rows: Rows, count: int, feature: Feature) -> Array:
    features = np.ascontiguousarray(rows.features)
    if features.shape != (count, *feature.shape) or len(rows.target) != count:
        now, then = show(features.shape), show((count, *feature.shape))
        raise SourceError(f"the data changed while it was read: {now} numbers, and {then} before", ("source",))
    return features


def _answers(values: Array, count: int, target: Target) -> Answers:
    classes = _class_numbers(values, target.labels) if target.labels is not None else None
    if classes is not None and target.wants == "binary":
        return Answers(_target(classes == target.positive, count, target), classes, target.labels)
    return Answers(_target(values if classes is None else classes, count, target), classes, target.labels)


def _class_numbers(target: Array, labels: tuple[str, ...]) -> Indices:
    numbers = {label: number for number, label in enumerate(labels)}
    values, inverse = np.unique(target, return_inverse=True)
    unknown = [str(value) for value in values.tolist() if str(value) not in numbers]
    if unknown:
        raise SourceError(f"the data changed while it was read: it now has a class '{unknown[0]}'", ("source",))
    return np.array([numbers[str(value)] for value in values.tolist()], np.int64)[inverse.reshape(-1)]


def _target(values: Array, count: int, target: Target) -> Array:
    if target.wants == "classes":
        return values
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(values.reshape(count, *(target.shape or (1,))), np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0])
        value = values.reshape(numbers.shape)[place]
        raise SourceError(f"row {place[0]} has the target {value}, too large for float32", ("target",))
    return numbers


def _digest(*arrays: Array) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape};".encode())
        digest.update(array.data)
    return digest.hexdigest()
