"""Compute a frozen trunk once for all rows, so that a training takes the time that its head takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import torch
from torch import nn

from dlrun.data.batches import Tensors
from dlrun.data.prepare import Prepared
from dlrun.data.rows import Rows
from dlrun.network.trunk import divide
from dlrun.plan.length import Length, evaluation_batch
from dlrun.plan.trunk import trunk
from dlrun.runs.checkpoints import Checkpoint
from dlrun.training.lifecycle.device import forward_in
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.training.lifecycle.snapshot import WEIGHTS
from dlrun.training.speed.threads import choose_threads


class TrunkWatcher(Protocol):
    """Is called as a trunk is computed."""

    def trunk(self, rows: int, share: float) -> None:
        """The values of a frozen trunk are computed, once for all `rows`; `share` of them are there."""
        ...


def compute_trunk(setup: TrainingSetup, watcher: TrunkWatcher, checkpoint: Checkpoint | None = None) -> TrainingSetup:
    """Compute the trunk where that saves time; the rows then hold its values in place of inputs.

    They are computed in the batches of an evaluation, so that a resumed run gets the same bits.

    Args:
        setup: what the training starts with.
        watcher: is called if there is a trunk.
        checkpoint: that of a run that is resumed, which has the weights.

    Raises:
        RunError: the rows cannot be read any more.
    """
    experiment, sizes, task = setup.checked.experiment, setup.checked.sizes, setup.task
    settings = experiment.train
    assert sizes is not None
    found = trunk(setup.plan, experiment.need("data"), settings, sizes, setup.device.type)
    if found is None or (checkpoint is not None and checkpoint.state["unfrozen"]):
        return setup
    if checkpoint is not None:
        task.network.load_state_dict(checkpoint.tensors[WEIGHTS], strict=False)  # a tied weight is stored once
    compared = any(pair.answer.origin == "input" for pair in (*task.objective.terms, *task.watched))
    parts = divide(setup.network, setup.plan.at_first(), with_inputs=compared)
    splits = task.data.train, task.data.validation, task.data.test
    batch = Length.of(settings, len(task.data.train)).batch
    total, done = sum(map(len, splits)), 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        watcher.trunk(total, done / total)

    computed: list[Rows] = []
    values: Tensors = []
    count(0)
    task.network.eval()
    with torch.no_grad(), torch.autocast(setup.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        for rows in splits:
            none = [value[:0] for value in values]
            values = _values(parts.trunk, rows, evaluation_batch(batch), count) or none
            computed.append(rows.with_inputs([*parts.inputs, *values]))
    task.network.train()
    forward = forward_in(settings.precision, parts.head, setup.device)
    threads = choose_threads(setup.plan.macs - found.macs, batch)
    return replace(setup, task=task.of_head(parts.head, forward, Prepared(*computed), threads))


def _values(network: nn.Module, rows: Rows, size: int, count: Callable[[int], None]) -> Tensors:
    """The values of a trunk for all rows of a split, in their order; none without rows.

    `count` is called with the number of rows, `size` at a time.
    """
    found: Tensors = []
    for start in range(0, len(rows), size):
        parts = network(*rows.batch(slice(start, start + size)).inputs)
        found = found or [_room(part, len(rows)) for part in parts]
        for values, part in zip(found, parts, strict=True):
            values[start : start + size] = part
        count(len(parts[0]))
    return found


def _room(part: torch.Tensor, rows: int) -> torch.Tensor:
    """Memory for the values of all rows, laid out as those of some."""
    is_image = part.dim() == 4 and part.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if is_image else torch.contiguous_format
    return torch.empty((rows, *part.shape[1:]), dtype=part.dtype, device=part.device, memory_format=layout)
