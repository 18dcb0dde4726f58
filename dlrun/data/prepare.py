"""Fit the preprocessing on the training rows, and put all rows on the device as the network takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dlrun.components.preprocess import FitError, Preprocess, State
from dlrun.components.sources import SourceError
from dlrun.data.load import Loaded, only_classes
from dlrun.data.split import Indices
from dlrun.plan.network import Plan
from dlrun.shapes import Shape, numel

Array = np.ndarray[Any, Any]

PORTION_BYTES = 1 << 26
"""Bytes of data that are converted at a time, so that memory holds little more than the result."""


class StepFitError(Exception):
    """Step `index` of the preprocessing cannot be fitted; `hint` is the way out."""

    def __init__(self, index: int, message: str, hint: str = ""):
        super().__init__(message)
        self.index, self.message, self.hint = index, message, hint


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows on the device, all of a split or some: the inputs of the network, and the targets."""

    inputs: tuple[torch.Tensor, ...]
    """One for each input of the network: float32, or int64 where it takes indices."""
    targets: dict[str, torch.Tensor]

    def __len__(self) -> int:
        return len(self.inputs[0])

    def __getitem__(self, rows: Any) -> Batch:
        """Some of the rows: a slice, or a tensor of their numbers."""
        return Batch(
            tuple(_some(x, rows) for x in self.inputs), {name: _some(y, rows) for name, y in self.targets.items()}
        )


def _some(tensor: torch.Tensor, rows: Any) -> torch.Tensor:
    if isinstance(rows, slice):
        return tensor[rows]
    if tensor.dim() == 4 and tensor.stride(1) == 1:  # channels last: permuted, each row is contiguous
        return tensor.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
    return tensor.index_select(0, rows)  # a third of the time that tensor[rows] takes


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The rows of each split on the device."""

    train: Batch
    validation: Batch
    test: Batch


Fitted = tuple[Preprocess, State]
"""A step with the sizes that fitting decided, and its fitted state."""


def fit(steps: Sequence[Preprocess], loaded: Loaded) -> list[Fitted]:
    """Fit the steps on the training rows alone, each on the float64 output of the step before it for its input.

    Raises:
        StepFitError: a step cannot be fitted on these rows.
    """
    fitted: dict[int, Fitted] = {}
    for name, features in loaded.features.items():
        own = [(index, step) for index, step in enumerate(steps) if step.input in (None, name)]
        if own:
            chain = _fit_chain(own, features[loaded.splits.train], loaded)
            fitted |= dict(zip([index for index, _ in own], chain, strict=True))
    return [fitted[index] for index in range(len(steps))]


def _fit_chain(steps: list[tuple[int, Preprocess]], rows: Array, loaded: Loaded) -> list[Fitted]:
    target, classes = _target_of(loaded)
    rows = rows.astype(np.float64, copy=False)
    fitted: list[Fitted] = []
    for index, step in steps:
        try:
            state = step.fit(rows, target, classes)
        except FitError as error:
            raise StepFitError(index, error.message, error.hint) from None
        settled = step.settled(state)
        fitted.append((settled, state))
        if len(fitted) < len(steps):
            exact = settled.build(state).exact
            rows = exact(torch.from_numpy(rows)).numpy()
    return fitted


def _target_of(loaded: Loaded) -> tuple[Array, int | None]:
    """The training rows' classes and how many there are; the first target's numbers where there are no classes."""
    train, classed = loaded.splits.train, only_classes(loaded.targets)
    if classed is not None and classed.classes is not None and classed.labels is not None:
        return classed.classes[train], len(classed.labels)
    values = [answers.values for answers in loaded.targets.values()]
    return (values[0][train] if values else np.empty((len(train), 0))), None


def prepare(
    loaded: Loaded, plan: Plan, front: Mapping[str, Sequence[tuple[str, nn.Module]]], device: torch.device | str
) -> Prepared:
    """Put every split's rows on the device.

    Args:
        loaded: the rows.
        plan: the network's, with the shape of each input.
        front: for each input its fitted preprocessing in order.
        device: where the tensors go.

    Raises:
        SourceError: a number is too large for float32, or is not an index.
    """
    limits = index_limits(plan)
    found: list[Batch] = []
    for rows in (loaded.splits.train, loaded.splits.validation, loaded.splits.test):
        inputs = []
        for entry in plan.inputs:
            modules = [module for _, module in front[entry.name]]
            kind = _Kind(entry.shape, plan.indices[entry.name], limits.get(entry.name), torch.device(device))
            inputs.append(_inputs(loaded.features[entry.name], rows, modules, kind))
        targets = {name: torch.from_numpy(t.values[rows]).to(device) for name, t in loaded.targets.items()}
        found.append(Batch(tuple(inputs), targets))
    return Prepared(*found)


def index_limits(plan: Plan) -> dict[str, int]:
    """For each input that goes into embeddings, how many indices the smallest of them has."""
    limits: dict[str, int] = {}
    for step in plan.layers:
        count = getattr(step.layer, "num_embeddings", None)
        pending = list(step.inputs[:1]) if count is not None else []
        while pending:
            value = pending.pop()
            if value < len(plan.inputs):
                name = plan.inputs[value].name
                limits[name] = min(count or 0, limits.get(name, count or 0))
            pending += plan.steps[value].inputs
    return limits


@dataclass(frozen=True, slots=True)
class _Kind:
    """The tensor that an input takes."""

    shape: Shape
    indices: bool
    limit: int | None
    """With `indices`, how many there are; every index is less."""
    device: torch.device


def _inputs(features: Array, rows: Indices, modules: Sequence[nn.Module], kind: _Kind) -> torch.Tensor:
    dtype = torch.int64 if kind.indices else torch.float32
    # Images are stored channels last, which makes convolutions fast; no other code sees a difference.
    layout = torch.channels_last if len(kind.shape) == 3 else torch.contiguous_format
    inputs = torch.empty((len(rows), *kind.shape), dtype=dtype, device=kind.device, memory_format=layout)
    portion = max(1, PORTION_BYTES // (8 * max(numel(features.shape[1:]), numel(kind.shape))))
    for start in range(0, len(rows), portion):
        chosen = rows[start : start + portion]
        values = _apply(modules, features[chosen]) if modules else features[chosen]
        values = _whole(values, chosen, kind.limit) if kind.indices else _single(values, chosen)
        inputs[start : start + portion] = torch.from_numpy(values).reshape(-1, *kind.shape)
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
        raise SourceError(message, ("features",), "`num_embeddings: $vocabulary` is the number of indices in the data")
    return values.astype(np.int64, copy=False)


def _first(wrong: Array, values: Array, rows: Indices) -> tuple[int, Any]:
    """The row of the first wrong value, and the value."""
    place = tuple(np.argwhere(wrong)[0])
    return int(rows[place[0]]), values[place]
