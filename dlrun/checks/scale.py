"""Numbers that float32 merges, and targets that are far from 0 and 1 in scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dlrun.checks.reading import Reading
from dlrun.errors import Problem
from dlrun.language.experiment import TARGET

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FAR, NEAR = 10.0, 0.01
"""Targets whose mean or spread is larger than the one, or whose spread is smaller than the other, need scaling."""

NARROW = 1e-4
"""A column whose spread is smaller than this share of its size is looked at for numbers that float32 merges."""
MOST_NUMBERS = 1 << 22
"""Of larger inputs it is not looked at."""


def check_features(reading: Reading, inputs: Mapping[str, Array]) -> Iterator[Problem]:
    """A note about columns of an input (N, columns), float64, that goes into the network as it is, in float32."""
    import numpy as np

    data = reading.sections["data"]
    path = ("data", "features") if "features" in data.model_fields_set else ("data",)
    for name, values in inputs.items():
        if values.dtype != np.float64:
            continue
        table = values.reshape(len(values), -1)
        for column in np.flatnonzero(table.std(axis=0) < NARROW * np.abs(table.mean(axis=0))):
            numbers = table[:, column]
            with np.errstate(over="ignore"):
                before, after = len(np.unique(numbers)), len(np.unique(numbers.astype(np.float32)))
            if after < before:
                what = f"number {column + 1} of a row" + (f" of {name}" if len(inputs) > 1 else "")
                message = f"{what} has {before} distinct values, and float32 keeps {after} of them apart"
                hint = "`preprocess: [standardize]` is computed in float64, and brings numbers near 0 and 1"
                yield reading.note("merged_features", message, path, hint, at_key=True)
                break


def check_scale(reading: Reading, targets: Mapping[str, Array], train: Array) -> Iterator[Problem]:
    """Notes about targets of numbers, each with its values in float64 (N, ...); `train` are the training rows."""
    import numpy as np

    data = reading.sections["data"]
    hint = "`target_preprocess: [standardize]` scales it for the loss; metrics and predictions keep its units"
    path = ("data", "target") if "target" in data.model_fields_set else ("data",)
    for name, values in targets.items() if not data.target_preprocess else ():
        what = "the target" if name == TARGET else f"the target {name}"
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float32)
        merged = not (rounded == values).all()
        before, after = (len(np.unique(values)), len(np.unique(rounded))) if merged else (0, 0)
        if after < before:
            message = f"{what} has {before} distinct values, and float32 keeps {after} of them apart"
            yield reading.note("merged_targets", message, path, hint, at_key=True)
            continue
        mean, spread = values[train].mean(), values[train].std()
        if max(abs(mean), spread) > FAR or 0 < spread < NEAR:
            message = f"{what} has the mean {mean:.4g} and the standard deviation {spread:.4g}, far from 0 and 1"
            yield reading.note("unscaled_target", message, path, hint, at_key=True)
