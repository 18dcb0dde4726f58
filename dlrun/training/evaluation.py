"""Measuring a split: losses and metrics gather on the device and are read once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from dlrun.data.prepare import Batch
from dlrun.objective import Watched
from dlrun.training.objective import Objective, Outputs, Pairing


class Measurement:
    """What gathers over the batches of a split."""

    def __init__(self, watched: Sequence[Watched], pairing: Pairing):
        self.watched, self.pairing = watched, pairing
        self.gathered: dict[str, list[torch.Tensor]] = {}
        """For each figure, the sum so far; where rows are needed, all of them, a tensor a batch."""

    def add(self, outputs: Outputs, batch: Batch) -> None:
        """Take a batch in; nothing is read from the device."""
        for one in self.watched:
            output, target = self.pairing.output(one.output, outputs), self.pairing.answer(one.answer, batch)
            measured = one.metric.measure(output, target, one.ending)
            held = self.gathered.setdefault(one.name, [])
            if held and one.metric.combine == "sum":
                held[0] += measured
            else:
                held.append(measured)

    def values(self) -> dict[str, float]:
        """The figures of everything added so far, read together."""
        if not self.watched:
            return {}
        found = [
            one.metric.value(torch.cat(held) if len(held := self.gathered[one.name]) > 1 else held[0], one.shape)
            for one in self.watched
        ]
        return {one.name: value for one, value in zip(self.watched, torch.stack(found).tolist(), strict=True)}

    def kept(self) -> dict[str, torch.Tensor]:
        """All that has been added, to go on from elsewhere."""
        return {name: torch.cat(held) if len(held) > 1 else held[0] for name, held in self.gathered.items()}

    def take(self, kept: dict[str, torch.Tensor]) -> None:
        """Go on from what `kept` gave."""
        self.gathered = {name: [tensor] for name, tensor in kept.items()}


def evaluate(
    network: torch.nn.Module, rows: Batch, objective: Objective, measurement: Measurement, batch_size: int
) -> dict[str, float]:
    """The losses and the metrics of a network over all rows, without training: `loss`, and each by its name."""
    network.eval()
    losses, sizes = [], []
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            outputs = network(*batch.inputs)
            losses.append(torch.stack(objective(outputs, batch)))
            sizes.append(len(batch))
            measurement.add(outputs, batch)
        read = torch.stack(losses).T.tolist()
        values = measurement.values()
    network.train()
    means = [math.fsum(v * size for v, size in zip(row, sizes, strict=True)) / sum(sizes) for row in read]
    return dict(zip(("loss", *objective.names), means, strict=True)) | values
