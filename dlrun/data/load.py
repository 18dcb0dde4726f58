"""The rows as arrays, the target as the loss needs it, and digests by which a later run knows the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlrun.components.losses import IGNORED
from dlrun.components.sources import SourceError, SourceNote
from dlrun.data.survey import Survey, digest, remembered_survey
from dlrun.language.experiment import DataSection
from dlrun.plan.data_info import DataInfo, Target
from dlrun.plan.split import Indices, Splits, count_classes
from dlrun.stored import StoredArray

Array = np.ndarray[Any, Any]

SUM = 1e-3
"""How far the sum of a row's probabilities may be from 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The target values of all rows."""

    values: Array
    """Class numbers (N,), or (N, ...) at each position, IGNORED where one does not count; for two classes as 0
    and 1, and for numbers, (N, targets) float32."""
    classes: Indices | None
    """The class numbers, also where `values` are 0 and 1; None where the target is numbers."""
    labels: tuple[str, ...] | None
    """The name of each class number."""
    exact: Array | None = None
    """Numbers as the source has them, float64 (N, ...), where float32 would round them."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All rows, in the order of the source."""

    features: dict[str, Array | StoredArray]
    """For each input (N, ...) as the source has them: float32, float64 or whole numbers; see `without_features`."""
    targets: dict[str, Answers]
    splits: Splits
    digest: str
    """SHA-256 over type, shape and bytes of features and targets."""
    split_digest: str
    """SHA-256 over the rows of each split."""
    class_counts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """For each target of classes and each class: the rows in training, validation and test."""
    notes: tuple[SourceNote, ...] = ()
    """What can be meant but rarely is, and only the values of the data show."""

    surveys: dict[str, Survey] = field(default_factory=dict)
    """What is known of each input that stays in its file."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.splits.train) + len(self.splits.validation) + len(self.splits.test)

    def fingerprint(self, split: str) -> str:
        """SHA-256 over the data and the numbers of a split's rows."""
        return _of_all(self.digest, digest(self.splits.named()[split]))

    def without_features(self) -> Loaded:
        """The same without the features: they take the most memory, and are not read again once on the device."""
        return replace(self, features={})


def only_classes(targets: Mapping[str, Answers]) -> Answers | None:
    """The one target that is one class a row; None where there is none, or several."""
    found = [answers for answers in targets.values() if answers.classes is not None and answers.classes.ndim == 1]
    return found[0] if len(found) == 1 else None


def load(data: DataSection, data_info: DataInfo, seed: int) -> Loaded:
    """Read the rows and split them.

    Args:
        data: the section of the spec.
        data_info: the description of the data.
        seed: the experiment's, for the split.

    Raises:
        SourceError: the data cannot be read.
    """
    scaled = bool(data.target_preprocess)
    features = {name: data_info.inputs(name) for name in data_info.features}
    targets = {name: _answers(data_info, name, scaled) for name in data_info.targets}
    splits = data_info.splits(data.split, seed)
    surveys = {
        name: _surveyed(data_info, name, found) for name, found in features.items() if isinstance(found, StoredArray)
    }
    answered = [answers.values if answers.exact is None else answers.exact for answers in targets.values()]
    data_digest = _of_all(
        *(surveys[name].digest if name in surveys else digest(found) for name, found in features.items()),
        *map(digest, answered),
    )
    split_digest = _of_all(*map(digest, splits.named().values()))
    counts = {
        name: count_classes(splits, answers.classes, answers.labels)
        for name, answers in targets.items()
        if answers.classes is not None and answers.labels is not None
    }
    return Loaded(features, targets, splits, data_digest, split_digest, counts, surveys=surveys)


def _answers(data_info: DataInfo, name: str, scaled: bool) -> Answers:
    target, classes, values = data_info.targets[name], data_info.classes(name), data_info.numbers(name)
    if classes is not None:
        if target.wants == "binary":
            return Answers(_single(classes == target.positive, target), classes, target.labels)
        if target.ignored is None:
            return Answers(classes, classes, target.labels)
        counted = np.where(classes == target.ignored, classes.dtype.type(IGNORED), classes)
        return Answers(counted, classes, target.labels)
    assert values is not None
    if target.wants == "binary":
        return Answers(_single(values, target), None, None)
    if target.wants == "probabilities":
        return Answers(_probabilities(values, target, data_info), None, target.labels)
    exact = np.ascontiguousarray(values.reshape(len(values), *(target.shape or (1,))), np.float64)
    if scaled:
        return Answers(exact, None, None, exact)
    rounded = _single(values, target)
    return Answers(rounded, None, None, None if (rounded == exact).all() else exact)


def _probabilities(values: Array, target: Target, data_info: DataInfo) -> Array:
    """The probability of each class (N, classes), float32.

    Raises:
        SourceError: a row has something else.
    """
    sums = values.reshape(len(values), -1).sum(1)
    wrong = (values.reshape(len(values), -1) < 0).any(1) | ~(np.abs(sums - 1) <= SUM)
    if wrong.any():
        row = int(wrong.argmax())
        is_less = bool((values[row] < 0).any())
        what = "is less than 0" if is_less else f"make {sums[row]:g} together"
        message = f"the target's {'number' if is_less else 'numbers'} in row {row} {what}; a loss on classes takes the "
        hint = "use `binary_cross_entropy` for several columns of 0 and 1, name the column of the class, or save the "
        hint += "classes of an array as whole numbers"
        raise SourceError(f"{message}probabilities of classes, which make 1", ("target",), hint)
    return _single(values, target)


def _single(values: Array, target: Target) -> Array:
    """Numbers (N, targets) as float32."""
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(values.reshape(len(values), *(target.shape or (1,))), np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0])
        value = values.reshape(numbers.shape)[place]
        raise SourceError(f"row {place[0]} has the target {value}, too large for float32", ("target",))
    return numbers


def _surveyed(data_info: DataInfo, name: str, values: StoredArray) -> Survey:
    """What is known of a stored array; one that the source knows, or that was looked at before, is not read."""
    known, extent = data_info.known(name)
    if known is not None and values.dtype.kind in "iu":
        ends = np.iinfo(values.dtype)
        extent = float(ends.min), float(ends.max), True
    if known is not None and extent is not None:
        return Survey(known, *extent)
    return remembered_survey(values, name)


def _of_all(*digests: str) -> str:
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()
