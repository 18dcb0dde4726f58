"""How many rows of each class every split gets, and the classes that have too few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlrun.checks.reading import Reading
from dlrun.checks.scale import MOST_NUMBERS, check_features, check_scale
from dlrun.components.preprocess import Map
from dlrun.components.sources import SourceError
from dlrun.errors import Problem
from dlrun.language.experiment import TARGET
from dlrun.language.suggestions import shorten
from dlrun.plan.answers import Answer
from dlrun.plan.split_sizes import SPLITS, ClassCounts, Sameness
from dlrun.shapes import numel


def split_targets(reading: Reading) -> tuple[ClassCounts, dict[Answer, Sameness], list[Problem]]:
    """Split the rows as training will, count each class, and find numbers that are always the same.

    A split that is not possible is a problem. A target that is only known once the data is loaded is left out.
    """
    data, data_info = reading.sections.get("data"), reading.data.info
    if data is None or data_info is None:
        return {}, {}, []
    if not data_info.targets or not data_info.has_targets:
        return {}, {}, []
    import numpy as np

    from dlrun.plan.split import count_classes, sameness

    classes = {name: found for name in data_info.targets if (found := data_info.classes(name)) is not None}
    try:
        splits = data_info.splits(data.split, reading.seed)
    except SourceError as error:
        return {}, {}, [reading.problem(error.message, ("data", *error.at), error.hint)]
    counts = {name: count_classes(splits, of, data_info.targets[name].labels or ()) for name, of in classes.items()}
    rare = [problem for name in counts for problem in _rare(reading, name, counts[name])]
    numbers = {name: found for name in data_info.targets if (found := data_info.numbers(name)) is not None}
    rows = {name: np.asarray(values, np.float64).reshape(data_info.rows, -1) for name, values in numbers.items()}
    plain = {name: values for name, values in rows.items() if data_info.targets[name].wants == "numbers"}
    scale = list(check_scale(reading, plain, splits.train)) if len(splits.train) else []
    same = {Answer(name): sameness(splits, values) for name, values in rows.items()}
    return counts, same, [*rare, *scale, *check_features(reading, _as_they_are(reading))]


def _as_they_are(reading: Reading) -> dict[str, Any]:
    """The rows of the inputs that no map changes, where they are read."""
    data, data_info = reading.sections["data"], reading.data.info
    assert data_info is not None
    maps = [step for step in data.preprocess if isinstance(step, Map)]
    small = {
        name: data_info.rows * numel(feature.shape) <= MOST_NUMBERS for name, feature in data_info.features.items()
    }
    plain = [name for name in small if small[name] and not any(step.input in (None, name) for step in maps)]
    return {
        name: data_info.inputs(name)[:] for name in plain if data_info.table.is_cheap(data_info.features[name].fields)
    }


def _rare(reading: Reading, name: str, counts: dict[str, list[int]]) -> Iterator[Problem]:
    """Notes about classes without a training row, without a row in a split that columns decide, and with fewer rows
    than splits."""
    splits = sum(any(rows[split] for rows in counts.values()) for split in range(3))
    path = ("data", TARGET) if name == TARGET else ("data", TARGET, name)
    info = reading.data.info
    if info is None or info.table.in_order:  # the vocabulary is that of the training part
        return
    unseen = [label for label, (training, *_) in counts.items() if not training and label not in info.table.stand_ins]
    few = [label for label, rows in counts.items() if sum(rows) < splits and label not in unseen]
    found = [(unseen, "no training row"), (few, f"fewer rows than the {splits} splits")]
    decided = reading.sections["data"].split.columns or info.table.own_splits
    if info.targets[name].shape:  # of several classes a row, not each is expected in every split
        found, decided = found[:1], False
    for number, split in enumerate(SPLITS) if decided else ():
        absent = [label for label, rows in counts.items() if not rows[number] and label not in (*unseen, *few)]
        if any(rows[number] for rows in counts.values()):
            found.append((absent, f"no {split} row"))
    for labels, what in found:
        if labels:
            have = f"the class {shorten(labels[0])} has" if len(labels) == 1 else f"the classes {shorten(labels)} have"
            enough = all(sum(counts[label]) >= splits for label in labels)
            hint = "add rows of the class"
            if enough and decided:
                hint = "another `split.seed`, or another column, can put it there"
            elif enough:
                hint = "`split: {stratify: true}` puts every class into every split"
            yield reading.note("rare_class", f"{have} {what}", path, hint)
