"""What a source is asked for by one input and one target, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.components.sources import Source, SourceNote
from dlrun.language.component import choose_some
from dlrun.language.experiment import DataSection, as_tuple
from dlrun.language.target_kind import TargetKind
from dlrun.plan.data_info import DataInfo
from dlrun.plan.describe_data import describe as describe_data

LOSSES = {"classes": "cross_entropy", "binary": "binary_cross_entropy", "numbers": "mse", "nothing": {"mse": "input"}}


@dataclass(frozen=True)
class Request:
    folder: Path
    features: tuple[str, ...] | None
    target: tuple[str, ...] | None
    wants: TargetKind


@dataclass(frozen=True)
class SourceInfo:
    rows: int
    shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    labels: tuple[str, ...] | None
    vocabulary: int | None = None
    counts: tuple[int, ...] | None = None
    classes: Any = field(default=None, repr=False, compare=False)
    notes: tuple[SourceNote, ...] = ()
    number_bytes: int = field(default=8, compare=False)
    values: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Rows:
    features: Any
    target: Any


def data_info(source: Source, request: Request, whole: bool = True) -> DataInfo:
    data = DataSection.read({"source": source, "features": request.features, "target": request.target})
    return describe_data(data, as_tuple(choose_some("losses", [LOSSES[request.wants]])), request.folder, whole)


def describe(source: Source, request: Request, whole: bool = False) -> SourceInfo:
    found = data_info(source, request, whole)
    feature, target = found.features["input"], found.targets["target"]
    return SourceInfo(
        found.rows,
        feature.shape,
        target.shape,
        target.labels,
        feature.vocabulary,
        target.counts,
        _list(found.classes("target") if found.has_targets else None),
        found.notes,
        feature.number_bytes,
        _list(found.numbers("target") if found.has_targets else None),
    )


def _list(values: Any) -> list[Any] | None:
    return None if values is None else values.reshape(-1).tolist()


def load(source: Source, request: Request) -> Rows:
    found = data_info(source, request)
    feature, target = found.features["input"], found.targets["target"]
    features = found.table.numbers(feature.fields)
    if target.labels is None:
        return Rows(features, found.table.numbers(target.fields))
    texts = found.table.texts(target.fields[0])
    return Rows(features, np.array(texts.distinct, object)[texts.rows].reshape(-1, *target.shape))
