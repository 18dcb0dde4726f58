"""Measuring a split: losses and metrics gather on the device and are read once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from dlrun.components.losses import Ending, Loss
from dlrun.components.metrics import Metric
from dlrun.shapes import Shape


@dataclass(slots=True)
class Measurement:
    """What gathers over the batches of a split."""

    metrics: Sequence[Metric]
    ending: Ending
    output: Shape
    _sums: dict[str, torch.Tensor] = field(default_factory=dict)
    _parts: dict[str, list[torch.Tensor]] = field(default_factory=dict)

    def add(self, output: torch.Tensor, target: torch.Tensor) -> None:
        """Take a batch in; nothing is read from the device."""
        for metric in self.metrics:
            measured = metric.measure(output, target, self.ending)
            if metric.combine == "concatenate":
                self._parts.setdefault(metric.kind, []).append(measured)
            elif metric.kind in self._sums:
                self._sums[metric.kind] += measured
            else:
                self._sums[metric.kind] = measured

    def values(self) -> dict[str, float]:
        """The figures of everything added so far, read together."""
        if not self.metrics:
            return {}
        found = []
        for metric in self.metrics:
            if metric.combine == "concatenate":
                found.append(metric.value(torch.cat(self._parts[metric.kind]), self.output))
            else:
                found.append(metric.value(self._sums[metric.kind], self.output))
        read = torch.stack(found).tolist()
        return {metric.kind: value for metric, value in zip(self.metrics, read, strict=True)}


def evaluate(
    network: torch.nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: Loss,
    measurement: Measurement,
    batch_size: int,
) -> dict[str, float]:
    """The loss and the metrics of a network over all rows, without training: `loss` and each metric's kind."""
    network.eval()
    losses, sizes = [], []
    with torch.inference_mode():
        for start in range(0, len(x), batch_size):
            target = y[start : start + batch_size]
            output = network(x[start : start + batch_size])
            losses.append(loss(output, target, measurement.ending))
            sizes.append(len(target))
            measurement.add(output, target)
        read = torch.stack(losses).tolist()
        values = measurement.values()
    network.train()
    mean = math.fsum(value * size for value, size in zip(read, sizes, strict=True)) / sum(sizes)
    return {"loss": mean, **values}
