"""How much memory a run needs, and how much there is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.language.experiment import TrainSection
from dlrun.plan.data_info import DataInfo
from dlrun.plan.length import Length
from dlrun.plan.network import Plan
from dlrun.shapes import numel

FLOAT = 4
INDEX = 8
DOUBLE = 8


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training step holds at once."""

    weights: int
    gradients: int
    state: int
    """The optimizer's."""
    activations: int
    """The values that the layers keep for the backward pass, at the batch size."""
    data: int
    """All rows, as the network takes them."""
    batch: int
    """Rows a step."""
    preparing: int = 0
    """Before the first step, to read the data, to fit the preprocessing and to convert the rows; not kept."""

    @property
    def training(self) -> int:
        """What a step holds."""
        return self.weights + self.gradients + self.state + self.activations + self.data

    @property
    def total(self) -> int:
        """The most that is held at any time."""
        return max(self.training, self.preparing)


def needed_memory(
    plan: Plan, optimizer: Any, train: TrainSection, data_info: DataInfo | None, train_rows: int | None
) -> Memory:
    """The memory that training by this plan needs; without data, a batch of the given size, and one row for `full`."""
    rows = train_rows or (1 if train.batch_size == "full" else train.batch_size)
    batch = Length.of(train, rows).batch
    trainable = plan.trainable
    per_weight = optimizer.state_per_weight() if optimizer is not None else 0
    row = sum(numel(shape) * (INDEX if plan.indices[name] else FLOAT) for name, shape in plan.input_shapes.items())
    activations = sum(step.activations for step in plan.layers)
    return Memory(
        weights=FLOAT * (plan.total + plan.buffers),
        gradients=FLOAT * trainable,
        state=FLOAT * per_weight * trainable,
        activations=FLOAT * batch * activations,
        data=row * data_info.rows if data_info else 0,
        batch=batch,
        preparing=_preparing(plan, data_info, train_rows or 0, row) if data_info else 0,
    )


def _preparing(plan: Plan, data_info: DataInfo, train_rows: int, row: int) -> int:
    """The most bytes that are held while the data is read, fitted and converted.

    The loaded rows stay until the end. Fitting copies the training rows, and again in float64 unless the first step
    takes them as they are; converting makes the rows as the network takes them.
    """
    loaded = fitting = 0
    for entry in plan.inputs:
        feature = data_info.features.get(entry.name)
        if feature is None:
            continue
        numbers = numel(feature.shape)
        loaded += data_info.rows * numbers * feature.number_bytes
        if entry.preprocess:
            first = entry.preprocess[0].step
            kept = first.takes_float32 and feature.number_bytes < DOUBLE
            copy = train_rows * numbers * (feature.number_bytes + (0 if kept else DOUBLE))
            work = max(step.step.fit_bytes(train_rows, numel(step.input)) for step in entry.preprocess)
            fitting = max(fitting, copy + work)
    return loaded + max(fitting, row * data_info.rows)


def machine_memory() -> int:
    """Bytes that this process may use: the machine's, or a container's limit; 0 if unknown."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total
