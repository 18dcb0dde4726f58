"""The rows as arrays, the target as the loss wants it, and what proves that they are the same again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlrun.components.sources import Facts, Request, Source, SourceError, Target
from dlrun.data.split import Indices, Splits, split_rows
from dlrun.shapes import show
from dlrun.spec.experiment import DataSection

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All rows, in the order of the source."""

    features: Array
    """(N, ...) as the source has them: float32, float64 or whole numbers."""
    target: Array
    """Class numbers (N,) int64; for yes or no and for numbers (N, targets) float32."""
    classes: Indices | None
    """Each row's class number, also where the target is yes or no; None where the target is numbers."""
    labels: tuple[str, ...] | None
    """What the class numbers stand for."""
    splits: Splits
    digest: str
    """SHA-256 over type, shape and bytes of features and target."""
    split_digest: str
    """SHA-256 over the rows of each split."""


def load(data: DataSection, request: Request, facts: Facts, seed: int) -> Loaded:
    """Read the rows and split them.

    Args:
        data: the section of the spec.
        request: what it asks of its source.
        facts: what the source said of itself.
        seed: the experiment's, for the split.

    Raises:
        SourceError: the data cannot be read, or is no longer what it said of itself.
    """
    source = data.source
    assert isinstance(source, Source)
    rows = source.load(request)
    features = np.ascontiguousarray(rows.features)
    if features.shape != (facts.rows, *facts.shape) or len(rows.target) != facts.rows:
        now, then = show(features.shape), show((facts.rows, *facts.shape))
        raise SourceError(f"the data changed while it was read: {now} numbers, and {then} before", ("source",))
    classes = _class_numbers(rows.target, facts.labels) if facts.labels is not None else None
    target = _target(rows.target if classes is None else classes, request.wants, facts)
    splits = split_rows(classes, facts.rows, data.split, seed, facts.labels)
    split_digest = _digest(splits.train, splits.validation, splits.test)
    return Loaded(features, target, classes, facts.labels, splits, _digest(features, target), split_digest)


def _class_numbers(target: Array, labels: tuple[str, ...]) -> Indices:
    numbers = {label: number for number, label in enumerate(labels)}
    values, inverse = np.unique(target, return_inverse=True)
    unknown = [str(value) for value in values.tolist() if str(value) not in numbers]
    if unknown:
        raise SourceError(f"the data changed while it was read: it now has a class '{unknown[0]}'", ("source",))
    return np.array([numbers[str(value)] for value in values.tolist()], np.int64)[inverse.reshape(-1)]


def _target(values: Array, wants: Target, facts: Facts) -> Array:
    if wants == "classes":
        return values
    with np.errstate(over="ignore"):
        target = np.ascontiguousarray(values.reshape(facts.rows, *(facts.target_shape or (1,))), np.float32)
    finite = np.isfinite(target)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0])
        value = values.reshape(target.shape)[place]
        raise SourceError(f"row {place[0]} has the target {value}, too large for float32", ("target",))
    return target


def _digest(*arrays: Array) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape};".encode())
        digest.update(array.data)
    return digest.hexdigest()
