"""Collect what `dlrun data` shows: the data as it is read, split, preprocessed and augmented."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dlrun.checks.check import Checked
from dlrun.components.preprocess import TrainingRows
from dlrun.components.preprocess._affine import Projecting
from dlrun.components.sources._cells import is_missing
from dlrun.data.augment import Augmenter
from dlrun.data.fit import Fitted
from dlrun.data.load import Loaded, only_classes
from dlrun.data.rows import Rows
from dlrun.language.labels import shown
from dlrun.language.suggestions import shorten
from dlrun.plan.data_info import DataInfo
from dlrun.plan.inputs import Input
from dlrun.plan.objective import objective
from dlrun.training.lifecycle.setup import load_and_fit, make_augmenter, prepare_rows
from dlrun.views.data.overview import FieldSummary, Overview, Picture, Sample, SplitRows, Stage

Array = np.ndarray[Any, Any]

SHOWN = 5
"""Rows of each stage."""
PLOTTED = 500
"""Training rows that stand for all in the pictures of a projection."""
BINS = 20
"""Parts of a histogram."""
PICTURES, EPOCHS = 12, 3
"""Rows that are shown as pictures, and the epochs for which each is augmented."""
MOST_CHARACTERS = 24
"""Of a text."""


def overview(checked: Checked, pictures: bool) -> Overview:
    """Load and prepare the data of a spec, and sum up what the network will see.

    Args:
        checked: the spec.
        pictures: whether rows are wanted as pictures, which takes as long as the start of a training.

    Raises:
        SpecError: the data is not what the spec says, or is too small for a step.
    """
    data_info = checked.data_info
    assert data_info is not None
    loaded, fitted, planned, scaling = load_and_fit(checked)
    source = checked.experiment.need("data").source
    name, where = source.origin()
    counts = loaded.class_counts
    splits = tuple(
        SplitRows(
            split,
            len(rows),
            loaded.fingerprint(split),
            {target: {label: each[place] for label, each in by_label.items()} for target, by_label in counts.items()},
        )
        for place, (split, rows) in enumerate(loaded.splits.named().items())
    )
    train = loaded.splits.train
    summaries = tuple(_fields(data_info, train))
    stages = tuple(stage for entry in planned.inputs for stage in _stages(entry, data_info, loaded, fitted))
    samples: tuple[Sample, ...] = ()
    if pictures:
        prepared = prepare_rows(checked, loaded, fitted, planned, scaling, torch.device("cpu"))
        names = [entry.name for entry in planned.inputs]
        experiment = checked.experiment
        terms, _ = objective(experiment.losses, experiment.metrics, planned, data_info)  # type: ignore[arg-type]
        augment = make_augmenter(checked, planned, terms)
        samples = tuple(_samples(prepared.train, names, augment, _labels(loaded)))
    return Overview(name, where, loaded.digest, loaded.rows, splits, summaries, stages, samples)


def _fields(data_info: DataInfo, train: Array) -> Iterator[FieldSummary]:
    """Every field of the data; only those that are used were read."""
    uses: dict[str, list[str]] = {}
    for name, feature in data_info.features.items():
        for field in feature.fields:
            uses.setdefault(field, []).append("input" if len(data_info.features) == 1 else name)
    for name, target in data_info.targets.items():
        for field in target.fields:
            uses.setdefault(field, []).append("target" if len(data_info.targets) == 1 else f"target {name}")
    labelled = {target.fields[0] for target in data_info.targets.values() if target.labels is not None}
    for name, field in data_info.table.fields.items():
        use = ", ".join(uses.get(name, ["not used"]))
        if name not in uses:
            yield FieldSummary(name, field.type, use)
        elif name in data_info.as_texts or name in labelled:
            yield _of_texts(FieldSummary(name, field.type, use), data_info, train, name in labelled)
        else:
            yield _of_numbers(FieldSummary(name, field.type, use), data_info, train)


def _of_texts(found: FieldSummary, data_info: DataInfo, train: Array, labelled: bool) -> FieldSummary:
    missing_texts = data_info.table.missing
    texts = data_info.table.texts(found.name)
    codes = texts.rows.reshape(data_info.rows, -1)[train].reshape(-1)
    counts = np.bincount(codes, minlength=len(texts.distinct))
    # A class is never missing, though a space may be one.
    absent = np.array([not labelled and is_missing(text.strip(), missing_texts) for text in texts.distinct], bool)
    missing = int(counts[absent].sum())
    counts[absent] = 0
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda place: (-counts[place], place))
    common = ", ".join(f"{_short(shown(texts.distinct[place]))} {counts[place]:,}" for place in order[:3])
    summary = f"{len(order):,} different: {common}" + (", …" if len(order) > 3 else "")
    return FieldSummary(found.name, found.type, found.use, missing, summary)


def _of_numbers(found: FieldSummary, data_info: DataInfo, train: Array) -> FieldSummary:
    low, high, total, count, missing = np.inf, -np.inf, 0.0, 0, 0
    values = TrainingRows(data_info.table.numbers([found.name]), train)
    for block in values.blocks():
        finite = block[np.isfinite(block)]
        missing += block.size - finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            total, count = total + float(finite.sum()), count + finite.size
    if not count:
        return FieldSummary(found.name, found.type, found.use, missing, "no value")
    bins = np.zeros(BINS, np.int64)
    for block in values.blocks():
        bins += np.histogram(block[np.isfinite(block)], BINS, (low, high if high > low else low + 1))[0]
    summary = f"{low:.4g} to {high:.4g}, mean {total / count:.4g}"
    return FieldSummary(found.name, found.type, found.use, missing, summary, tuple(bins.tolist()), low, high)


def _stages(entry: Input, data_info: DataInfo, loaded: Loaded, fitted: Fitted) -> Iterator[Stage]:
    """The first training rows as the data has them, after the encoders, and after each map."""
    feature, train = data_info.features[entry.name], loaded.splits.train
    flat = all(data_info.table.fields[name].shape == () for name in feature.fields)
    if flat:
        cells = [_cells(data_info, name, train[:SHOWN]) for name in feature.fields]
        shown = tuple(zip(*cells, strict=True))
        yield Stage(entry.name, "as in the data", (len(feature.fields),), feature.fields, shown)
    names = [column.name for column in feature.columns]
    rows = TrainingRows(loaded.features[entry.name], train)
    if feature.encoded or not flat:
        kinds = ", ".join(dict.fromkeys(one.step.kind for one in feature.encoded))
        yield _stage(entry, f"after {kinds}" if kinds else "as in the data", rows, names)
    for planned in entry.preprocess:
        step, taken = fitted[planned.name], rows if planned.columns is None else rows.of(planned.columns)
        rows = rows.after(step.module)
        found = _stage(entry, f"after {planned.step.kind}", rows, planned.names_after)
        if isinstance(step.step, Projecting):
            found = _projected(found, step.state["matrix"], taken, rows, loaded)
        yield found


def _cells(data_info: DataInfo, name: str, rows: Array) -> list[str]:
    if name in data_info.as_texts:
        texts = data_info.table.texts(name)
        return [_short(texts.distinct[code]) if code >= 0 else "" for code in texts.rows[rows].tolist()]
    return [_number(value) for value in data_info.table.numbers([name])[rows].reshape(-1).tolist()]


def _stage(entry: Input, title: str, rows: TrainingRows, names: Sequence[str]) -> Stage:
    if rows.shape != (len(names),):  # the numbers of an image have no names
        return Stage(entry.name, title, rows.shape)
    shown = tuple(tuple(map(_number, row)) for row in rows.first(SHOWN).table().tolist())
    return Stage(entry.name, title, rows.shape, tuple(names), shown)


def _projected(found: Stage, matrix: Array, before: TrainingRows, rows: TrainingRows, loaded: Loaded) -> Stage:
    """A stage with what is special of a projection by a matrix (directions, numbers).

    Where the directions are at right angles, each has a share of the variance of what the step takes; a direction that
    whitening has scaled is measured as it was before.
    """
    variance: tuple[float, ...] = ()
    gram = matrix @ matrix.T
    lengths = gram.diagonal()
    if np.abs(gram - np.diag(lengths)).max() <= 1e-9 * lengths.max():
        total = _variances(before).sum()
        variance = tuple((_variances(rows)[-len(matrix) :] / lengths / total).tolist())
    points: tuple[tuple[float, float, int], ...] = ()
    labels: tuple[str, ...] = ()
    if len(matrix) > 1:
        shown = rows.first(PLOTTED).table()[:, -len(matrix) :]
        classed = only_classes(loaded.targets)
        numbers = np.zeros(len(shown), np.int64)
        if classed is not None and classed.classes is not None and classed.labels is not None:
            numbers, labels = classed.classes[loaded.splits.train[:PLOTTED]], classed.labels
        points = tuple((float(x), float(y), int(n)) for (x, y), n in zip(shown[:, :2], numbers, strict=True))
    return replace(found, variance=variance, points=points, labels=labels)


def _variances(rows: TrainingRows) -> Array:
    """The variance of each number over all rows."""
    sums, count = np.zeros(rows.numbers), 0
    for block in rows.blocks():
        sums, count = sums + block.sum(0), count + len(block)
    mean, squares = sums / count, np.zeros(rows.numbers)
    for block in rows.blocks():
        squares += np.square(block - mean).sum(0)
    return squares / (count - 1)


def _labels(loaded: Loaded) -> list[str]:
    """The class of each of the first training rows; '' where there is no one target of classes."""
    classed = only_classes(loaded.targets)
    if classed is None or classed.classes is None or classed.labels is None:
        return [""] * PICTURES
    return [classed.labels[number] for number in classed.classes[loaded.splits.train[:PICTURES]]]


def _samples(train: Rows, names: Sequence[str], augment: Augmenter, labels: Sequence[str]) -> Iterator[Sample]:
    """The first training rows of each input of images as the network takes them, then augmented."""
    numbers = torch.arange(min(PICTURES, len(train)), device=train.device)
    versions = [train.batch(numbers)]
    if augment.steps:
        versions += [augment(train, epoch, numbers) for epoch in range(EPOCHS)]
    for place, name in enumerate(names):
        images = [batch.inputs[place] for batch in versions]
        if images[0].dim() != 4 or images[0].shape[1] not in (1, 3):
            continue
        low, high = images[0].amin(), images[0].amax()
        scaled = [((image - low) / (high - low).clamp(min=1e-12)).clamp(0, 1) for image in images]
        for row in range(len(numbers)):
            yield Sample(name, labels[row], tuple(_picture(image[row]) for image in scaled))


def _picture(image: torch.Tensor) -> Picture:
    """An image (1 or 3, H, W) of numbers from 0 to 1."""
    from PIL import Image

    values = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(values.squeeze(2) if values.shape[2] == 1 else values).save(buffer, "PNG")
    return Picture(buffer.getvalue(), values.shape[1], values.shape[0])


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def _short(text: str) -> str:
    return shorten(text, MOST_CHARACTERS)[1:-1]
