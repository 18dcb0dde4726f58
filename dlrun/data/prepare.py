"""Fit the preprocessing on the training rows, and bring all rows to the device as the network takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dlrun.components.preprocess import FitError, Preprocess, State
from dlrun.components.sources import SourceError
from dlrun.data.load import Loaded
from dlrun.data.split import Indices
from dlrun.shapes import Shape, numel

Array = np.ndarray[Any, Any]

PORTION_BYTES = 1 << 26
"""How much of the data is copied at a time, so that memory holds little more than the result."""


class StepFitError(Exception):
    """Step `index` of the preprocessing cannot be fitted; `hint` is the way out."""

    def __init__(self, index: int, message: str, hint: str = ""):
        super().__init__(message)
        self.index, self.message, self.hint = index, message, hint


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The rows of each split on the device: inputs float32, or int64 where they are indices, and targets."""

    train_x: torch.Tensor
    train_y: torch.Tensor
    validation_x: torch.Tensor
    validation_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor

    def with_input_as_target(self) -> Prepared:
        """The same rows, each its own target."""
        return Prepared(self.train_x, self.train_x, self.validation_x, self.validation_x, self.test_x, self.test_x)


def fit(steps: Sequence[Preprocess], loaded: Loaded) -> list[tuple[Preprocess, State]]:
    """Fit the steps in order, on the training rows alone; each sees, in float64, what the last one gives.

    Returns:
        Each step with the sizes that fitting decided, and what it learned.

    Raises:
        StepFitError: the training rows do not allow a step.
    """
    fitted: list[tuple[Preprocess, State]] = []
    if not steps:
        return fitted
    train = loaded.splits.train
    rows = loaded.features[train].astype(np.float64, copy=False)
    target = (loaded.target if loaded.classes is None else loaded.classes)[train]
    classes = len(loaded.labels) if loaded.labels is not None else None
    for index, step in enumerate(steps):
        try:
            state = step.fit(rows, target, classes)
        except FitError as error:
            raise StepFitError(index, error.message, error.hint) from None
        settled = step.settled(state)
        fitted.append((settled, state))
        if index + 1 < len(steps):
            exact = settled.build(state).exact
            rows = exact(torch.from_numpy(rows)).numpy()
    return fitted


def prepare(
    loaded: Loaded,
    modules: Sequence[nn.Module],
    shape: Shape,
    indices: bool,
    device: torch.device | str,
    limit: int | None = None,
) -> Prepared:
    """Put every split's rows on the device.

    Args:
        loaded: the rows.
        modules: the fitted preprocessing, in order.
        shape: one sample as the network takes it.
        indices: whether the network takes indices, whole numbers from 0 on.
        device: where the tensors go.
        limit: with `indices`, how many there are; every index is less.

    Raises:
        SourceError: a number is too large for float32, or is no index.
    """
    found: list[torch.Tensor] = []
    for rows in (loaded.splits.train, loaded.splits.validation, loaded.splits.test):
        found.append(_inputs(loaded.features, rows, modules, shape, indices, torch.device(device), limit))
        found.append(torch.from_numpy(loaded.target[rows]).to(device))
    return Prepared(*found)


def _inputs(
    features: Array,
    rows: Indices,
    modules: Sequence[nn.Module],
    shape: Shape,
    indices: bool,
    device: torch.device,
    limit: int | None,
) -> torch.Tensor:
    inputs = torch.empty((len(rows), *shape), dtype=torch.int64 if indices else torch.float32, device=device)
    portion = max(1, PORTION_BYTES // (8 * max(numel(features.shape[1:]), numel(shape))))
    for start in range(0, len(rows), portion):
        chosen = rows[start : start + portion]
        values = _apply(modules, features[chosen]) if modules else features[chosen]
        values = _whole(values, chosen, limit) if indices else _single(values, chosen)
        inputs[start : start + portion] = torch.from_numpy(values).reshape(-1, *shape)
    return inputs


@torch.no_grad()
def _apply(modules: Sequence[nn.Module], features: Array) -> Array:
    values = torch.from_numpy(features.astype(np.float64, copy=False))
    for module in modules:
        values = module(values)
    return values.numpy()


def _single(values: Array, rows: Indices) -> Array:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32, copy=False)
    finite = np.isfinite(single)
    if not finite.all():
        row, value = _first(~finite, values, rows)
        hint = "`preprocess: [standardize]` brings numbers near 1"
        raise SourceError(f"row {row} holds {value}, too large for float32", ("source",), hint)
    return single


def _whole(values: Array, rows: Indices, limit: int | None) -> Array:
    wrong = values != np.floor(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if wrong.any():
        row, value = _first(wrong, values, rows)
        raise SourceError(f"row {row} holds {value}; an index is a whole number", ("features",))
    wrong = values < 0
    if wrong.any():
        row, value = _first(wrong, values, rows)
        raise SourceError(f"row {row} holds {value}; an index is 0 or more", ("features",))
    most = 2**63 if limit is None else limit
    wrong = values >= most
    if wrong.any():
        row, value = _first(wrong, values, rows)
        message = f"row {row} holds the index {value}; there are {most}, from 0 to {most - 1}"
        raise SourceError(message, ("features",), "`num_embeddings: $vocabulary` is as many as the data has")
    return values.astype(np.int64, copy=False)


def _first(wrong: Array, values: Array, rows: Indices) -> tuple[int, Any]:
    """The first wrong value and the row of the data that it stands in."""
    place = tuple(np.argwhere(wrong)[0])
    return int(rows[place[0]]), values[place]
