"""The losses and metrics of outputs that are there already, and the noise in the difference of two."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from dlrun.data.batches import Batch
from dlrun.data.rows import Rows, blocks
from dlrun.plan.metrics import Watched
from dlrun.training.evaluation import Measurement, measure_batch
from dlrun.training.objective import Objective, Outputs, each

GROUPS, FEW_GROUPS, MANY_ROWS = 200, 50, 10_000
"""How many parts the rows are divided into for the noise, and how many where the rows are many."""


def without_inputs(rows: Rows) -> Batch:
    """The targets of all rows alone, as float64 where they are numbers."""
    parts = list(blocks(rows))
    targets = {name: torch.cat([part.targets[name] for part in parts]) for name in parts[0].targets}
    exact = {name: torch.cat([part.exact[name] for part in parts]) for name in parts[0].exact}
    nothing = torch.empty((len(rows), 0), device=rows.device)
    return Batch((nothing,), {name: y.double() if y.is_floating_point() else y for name, y in targets.items()}, exact)


@torch.no_grad()
def figures(outputs: Outputs, rows: Batch, objective: Objective, watched: Sequence[Watched]) -> dict[str, float]:
    """The loss, its terms where there are several, and the metrics, by name."""
    measurement = Measurement(watched, len(rows))
    measurement.add(measure_batch(watched, objective.pairing, outputs, rows))
    names = ("loss", *objective.names)
    losses = torch.stack(objective(outputs, rows)[: len(names)]).tolist()
    return dict(zip(names, losses, strict=True)) | measurement.values()


def noise(difference: Callable[[torch.Tensor], float], rows: int, device: torch.device) -> float:
    """The standard error of a difference between two methods on the same rows, by the jackknife.

    `difference` gives it for some rows, by their numbers. The rows are divided into g parts, each d_i is the difference
    without part i, and the error is sqrt((g - 1)/g * sum((d_i - mean)**2)). With a part for each row, and a metric that
    is a mean over rows, it is the standard error of the mean of paired differences.

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11.
    """
    groups = min(rows, GROUPS if rows <= MANY_ROWS else FEW_GROUPS)
    if groups < 2:
        return math.nan
    numbers = torch.arange(rows, device=device)
    left = [difference(numbers[numbers % groups != group]) for group in range(groups)]
    mean = math.fsum(left) / groups
    return math.sqrt((groups - 1) / groups * math.fsum((value - mean) ** 2 for value in left))


def some(outputs: Outputs, numbers: torch.Tensor) -> Outputs:
    """The outputs of some rows, by their numbers."""
    return each(outputs, lambda values: values[numbers])
