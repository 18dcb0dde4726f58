"""The rows of each split as the network takes them, preprocessed: on the device, or read batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from dlrun.components.sources import SourceError
from dlrun.data.batches import Batch, narrowest
from dlrun.data.fit import refused, refused_target
from dlrun.data.load import Loaded
from dlrun.data.rows import InMemory, OnDisk, Reader, Rows
from dlrun.data.survey import Survey
from dlrun.modules.frozen_map import FrozenMap, OutOfDomainError
from dlrun.plan.indices import index_limits
from dlrun.plan.memory import stays_on_disk
from dlrun.plan.network import Plan
from dlrun.plan.split import Indices
from dlrun.shapes import Shape, numel
from dlrun.stored import StoredArray

Array = np.ndarray[Any, Any]

SCALE = "`preprocess: [standardize]` brings numbers near 1"
ALL_INDICES = "`num_embeddings: $vocabulary` is the number of indices in the data"
"""Ways out of numbers that are too large."""
PORTION_BYTES = 1 << 22
"""Bytes of data that are converted at a time, so that memory holds little more than the result."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The rows of each split."""

    train: Rows
    validation: Rows
    test: Rows


def prepare(
    loaded: Loaded,
    plan: Plan,
    steps: Mapping[str, Steps],
    device: torch.device | str,
    scales: Mapping[str, Sequence[FrozenMap]] | None = None,
    measured: bool = True,
) -> Prepared:
    """Put every split's rows on the device, but for the inputs that stay in their files.

    Args:
        loaded: the rows.
        plan: the network's, with the shape of each input.
        steps: for each input its fitted preprocessing in order: see `modules_by_input`.
        device: where the tensors go.
        scales: for each target that has them its fitted steps in order.
        measured: whether there are metrics, which compare with exact targets.

    Raises:
        SourceError: a number is too large for float32, or is not an index.
    """
    limits, device = index_limits(plan), torch.device(device)
    on_disk = [name for name in loaded.surveys if stays_on_disk(plan, name, loaded.rows, device.type)]
    for name in on_disk:
        _check_survey(loaded.surveys[name], name, plan.indices[name], limits.get(name), bool(steps[name]))
    found: list[Rows] = []
    for split, rows in loaded.splits.named().items():
        inputs, readers = [], list[Reader | None]()
        for entry in plan.inputs:
            to = torch.device("cpu") if entry.name in on_disk else device
            kind = _Kind(entry.shape, plan.indices[entry.name], limits.get(entry.name), to)
            features, chain = loaded.features[entry.name], steps[entry.name]
            if entry.name in on_disk:
                plain = not chain and features.dtype == np.float32 and len(entry.shape) != 3
                read = partial(_as_they_are, features, entry.shape)
                readers.append(read if plain else partial(_inputs, features, steps=chain, kind=kind, plan=plan))
            else:
                readers.append(None)
                inputs.append(_inputs(features, rows, chain, kind, plan))
        targets = {
            name: _scaled(name, t.values, rows, (scales or {}).get(name, ())).to(device)
            for name, t in loaded.targets.items()
        }
        exact = {
            name: torch.from_numpy(t.exact[rows]).to(device)
            for name, t in loaded.targets.items()
            if measured and t.exact is not None
        }
        kept, fingerprint = Batch(tuple(inputs), targets, exact), loaded.fingerprint(split)
        of_disk = OnDisk(readers, kept, rows, device, fingerprint)
        found.append(of_disk if on_disk else InMemory(kept, fingerprint))
    return Prepared(*found)


def _scaled(target: str, all_values: Array, rows: Indices, steps: Sequence[FrozenMap]) -> torch.Tensor:
    """Targets in the units of the loss: float32 where there are steps."""
    values = torch.from_numpy(all_values[rows])
    if not values.is_floating_point() and narrowest(values.numel(), torch.iinfo(values.dtype).max) != values.dtype:
        values = values.long()
    for index, step in enumerate(steps):
        try:
            values = step(values)
        except OutOfDomainError as error:
            message, hint = refused_target(target, error, int(rows[error.row]))
            raise SourceError(message, ("target_preprocess", index), hint) from None
    return values.float() if steps else values


@dataclass(frozen=True, slots=True)
class _Kind:
    """The tensor that an input takes."""

    shape: Shape
    indices: bool
    limit: int | None
    """With `indices`, how many there are; every index is less."""
    device: torch.device


def _check_survey(found: Survey, name: str, indices: bool, limit: int | None, changed: bool) -> None:
    """Refuse before the first step what reading a batch would refuse; `changed` says that steps come before."""
    if indices and not (found.whole and found.lowest >= 0):
        raise SourceError(f"'{name}' has other numbers than whole ones from 0 on, and an index is one", ("features",))
    if indices and limit is not None and found.highest >= limit:
        raise SourceError(f"'{name}' has the index {found.highest:.0f}; {_indices(limit)}", ("features",), ALL_INDICES)
    if not (indices or changed) and max(-found.lowest, found.highest) > float(np.finfo(np.float32).max):
        worst = found.highest if found.highest > -found.lowest else found.lowest
        raise SourceError(f"'{name}' has the number {worst}, too large for float32", ("source",), SCALE)


Steps = Sequence[tuple[str, nn.Module]]
"""The fitted steps of an input in order, each a module with its name."""


def _inputs(features: Array | StoredArray, rows: Indices, steps: Steps, kind: _Kind, plan: Plan) -> torch.Tensor:
    most = None if kind.limit is None else kind.limit - 1
    dtype = narrowest(len(rows) * numel(kind.shape), most) if kind.indices else torch.float32
    # Images are stored channels last, which makes convolutions fast; no other code sees a difference.
    layout = torch.channels_last if len(kind.shape) == 3 else torch.contiguous_format
    inputs = torch.empty((len(rows), *kind.shape), dtype=dtype, device=kind.device, memory_format=layout)
    portion = max(1, PORTION_BYTES // (8 * max(numel(features.shape[1:]), numel(kind.shape))))
    for start in range(0, len(rows), portion):
        chosen = rows[start : start + portion]
        values = _apply(steps, features[chosen], chosen, plan) if steps else features[chosen]
        values = indices(values, chosen, kind.limit) if kind.indices else need_float32(values, chosen)
        inputs[start : start + portion] = torch.from_numpy(values).reshape(-1, *kind.shape)
    return inputs


def _as_they_are(features: Array | StoredArray, shape: Shape, rows: Indices) -> torch.Tensor:
    """Rows of float32 that nothing changes; that they are finite is known."""
    return torch.from_numpy(features[rows]).reshape(-1, *shape)


@torch.no_grad()
def _apply(steps: Steps, features: Array, rows: Indices, plan: Plan) -> Array:
    values = torch.from_numpy(features.astype(np.float64, copy=False))
    for name, module in steps:
        try:
            values = module(values)
        except OutOfDomainError as error:
            planned = next(step for step in plan.preprocess if step.name == name)
            message, hint = refused(planned, error, int(rows[error.row]))
            raise SourceError(message, ("preprocess", planned.index), hint) from None
    return values.numpy()


def need_float32(values: Array, rows: Indices) -> Array:
    """Numbers as float32; `rows` are the numbers of their rows, for errors.

    Raises:
        SourceError: one is too large.
    """
    with np.errstate(over="ignore"):
        single = values.astype(np.float32, copy=False)
    finite = np.isfinite(single)
    if not finite.all():
        row, value = _first(~finite, values, rows)
        raise SourceError(f"row {row} holds {value}, too large for float32", ("source",), SCALE)
    return single


def indices(values: Array, rows: Indices, limit: int | None) -> Array:
    """Numbers as indices below `limit`, int64; `rows` are the numbers of their rows, for errors.

    Raises:
        SourceError: one is no index.
    """
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
        message = f"row {row} holds the index {value}; {_indices(most)}"
        raise SourceError(message, ("features",), ALL_INDICES)
    return values.astype(np.int64, copy=False)


def _indices(limit: int) -> str:
    return f"there are {limit}, from 0 to {limit - 1}"


def _first(wrong: Array, values: Array, rows: Indices) -> tuple[int, Any]:
    """The row of the first wrong value, and the value."""
    place = tuple(np.argwhere(wrong)[0])
    return int(rows[place[0]]), values[place]
