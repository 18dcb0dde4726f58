"""How much memory a run needs, and how much there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.language.experiment import TrainSection
from dlrun.plan.data_info import DataInfo
from dlrun.plan.length import Length
from dlrun.plan.metrics import Watched
from dlrun.plan.network import Plan
from dlrun.plan.optimizers import Moved
from dlrun.plan.split_sizes import SplitSizes
from dlrun.shapes import numel

FLOAT = 4
INDEX = 8
IN_MEMORY = {"cpu": 1 << 28, "cuda": 1 << 32}
"""By the type of a device: rows of a stored array that take more bytes, as the network takes them, stay in the file."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training step holds at once."""

    weights: int
    gradients: int
    state: int
    """The optimizer's, and the average of the weights."""
    activations: int
    """The values that the layers keep for the backward pass, at the batch size."""
    data: int
    """All rows, as the network takes them, their targets, and the values of a frozen trunk."""
    metrics: int
    """What the metrics keep of the rows of an epoch or a split."""
    batch: int
    """Rows a step."""
    preparing: int = 0
    """Before the first step, to read the data, to fit the preprocessing and to convert the rows; not kept."""

    @property
    def training(self) -> int:
        """What a step holds."""
        return self.weights + self.gradients + self.state + self.activations + self.data + self.metrics

    @property
    def total(self) -> int:
        """The most that is held at any time."""
        return max(self.training, self.preparing)


def needed_memory(
    plan: Plan,
    groups: Sequence[Moved],
    train: TrainSection,
    data_info: DataInfo | None,
    sizes: SplitSizes | None,
    watched: Sequence[Watched] = (),
    trunk_bytes: int = 0,
) -> Memory:
    """The memory that training by this plan needs; without data, a batch of the given size, and one row for `full`.

    `trunk_bytes` is what the values of a frozen trunk take of a row.
    """
    train_rows = sizes.train if sizes else 0
    rows = train_rows or (1 if train.batch_size == "full" else train.batch_size)
    batch = Length.of(train, rows).batch
    trainable = plan.trainable
    row = sum(row_bytes(plan, name) for name in (_kept(plan, data_info) if data_info else plan.input_shapes))
    averaged = trainable + plan.buffers if train.average is not None else 0
    activations = sum(step.activations for step in plan.layers)
    return Memory(
        weights=FLOAT * (plan.total + plan.buffers),
        gradients=FLOAT * trainable,
        state=FLOAT * (averaged + sum(group.optimizer.state_per_weight() * group.count for group in groups)),
        activations=FLOAT * batch * activations,
        # Targets twice: as they are loaded, and as the losses take them.
        data=(row + trunk_bytes) * data_info.rows + 2 * _targets(data_info) if data_info else 0,
        metrics=_metrics(data_info, sizes, watched) if data_info and sizes else 0,
        batch=batch,
        preparing=_preparing(plan, data_info, train_rows, row) if data_info else 0,
    )


def stays_on_disk(plan: Plan, name: str, rows: int, device: str) -> bool:
    """Whether the rows of an input whose array is stored in a file are read batch by batch.

    That depends on their size alone, so the same run computes the same, whatever else the machine's memory holds.
    """
    return rows * row_bytes(plan, name) > IN_MEMORY[device]


def row_bytes(plan: Plan, name: str) -> int:
    """The bytes of a row of an input, as the network takes it."""
    return numel(plan.input_shapes[name]) * (INDEX if plan.indices[name] else FLOAT)


def _kept(plan: Plan, data_info: DataInfo) -> list[str]:
    """The inputs whose rows are all in memory; a GPU's is not counted here."""
    rows, features = data_info.rows, data_info.features
    stored = [name for name in plan.input_shapes if name in features and features[name].stored]
    return [name for name in plan.input_shapes if name not in stored or not stays_on_disk(plan, name, rows, "cpu")]


def _targets(data_info: DataInfo) -> int:
    """The bytes of all targets."""
    return data_info.rows * sum(
        (INDEX if target.wants == "classes" else FLOAT) * numel(target.shape) for target in data_info.targets.values()
    )


def _metrics(data_info: DataInfo, sizes: SplitSizes, watched: Sequence[Watched]) -> int:
    """The most bytes that the metrics keep: those of one split are forgotten before another is measured."""
    rows = max(sizes.train, sizes.validation, sizes.test)
    found = 0
    for one in watched:
        target = data_info.targets[one.answer.name] if one.answer.of_data else None
        found += one.metric.held_bytes(rows * numel(one.positions), one.shape, target.wants if target else "numbers")
    return found


def _preparing(plan: Plan, data_info: DataInfo, train_rows: int, row: int) -> int:
    """The most bytes that are held while the data is read, fitted and converted.

    The loaded rows stay until the end. Fitting takes them block by block; converting makes rows as the network takes
    them.
    """
    loaded, fitting = _targets(data_info), 0
    for entry in plan.inputs:
        feature = data_info.features.get(entry.name)
        if feature is None:
            continue
        if not feature.stored:
            loaded += data_info.rows * numel(feature.shape) * feature.number_bytes
        for planned in entry.preprocess:
            fitting = max(fitting, planned.step.fit_bytes(train_rows, max(numel(feature.shape), numel(planned.input))))
    return loaded + max(fitting, row * data_info.rows + _targets(data_info))


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
