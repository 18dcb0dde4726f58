"""Measuring a split: losses and metrics gather on the device and are read once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from dlrun.data.batches import Batch, Tensors
from dlrun.plan.objective import Watched
from dlrun.training.objective import Forward, Objective, Outputs, Pairing
from dlrun.training.speed.capture import Repeated


def measure_batch(watched: Sequence[Watched], pairing: Pairing, outputs: Outputs, batch: Batch) -> Tensors:
    """What each metric has to say of a batch; the outputs have no graph behind them."""
    return [
        one.metric.measure(pairing.output(one.output, outputs), pairing.answer(one.answer, batch), one.output_form)
        for one in watched
    ]


class Measurement:
    """What gathers over the batches of a split."""

    def __init__(self, watched: Sequence[Watched]):
        self.watched = watched
        self.gathered: dict[str, list[torch.Tensor]] = {}
        """For each figure, the sum so far; where rows are needed, all of them, a tensor a batch."""

    def add(self, measured: Sequence[torch.Tensor]) -> None:
        """Take in what `measures` gives of a batch; nothing is read from the device."""
        for one, value in zip(self.watched, measured, strict=True):
            held = self.gathered.setdefault(one.name, [])
            if one.metric.combine != "sum":
                held.append(value)
            elif held:
                held[0] += value
            else:
                held.append(value.clone())  # captured code gives tensors that only others of its kind may change

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


class Evaluator:
    """Measures a network without training it; a small one's arithmetic is captured, as that of its steps is."""

    def __init__(
        self,
        network: torch.nn.Module,
        forward: Forward,
        objective: Objective,
        watched: Sequence[Watched],
        captures: bool,
    ):
        """`forward` is the network's, in the precision that it is to be measured in."""
        self.network, self.forward = network, forward
        self.objective, self.watched = objective, watched
        self.repeated = Repeated(self._compute, self._held, captures)

    @torch.no_grad()
    def __call__(self, rows: Batch, batch_size: int) -> dict[str, float]:
        """The losses and the metrics over all rows: `loss`, and each by its name."""
        count = len(self.objective.names) + 1
        measurement = Measurement(self.watched)
        losses, sizes = [], []
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            results = self.repeated(batch)
            losses.append(torch.stack(results[:count]))
            sizes.append(len(batch))
            measurement.add(results[count:])
        read = torch.stack(losses).T.tolist()
        values = measurement.values()
        if not self.network.training:
            self.network.train()
        means = [math.fsum(v * size for v, size in zip(row, sizes, strict=True)) / sum(sizes) for row in read]
        return dict(zip(("loss", *self.objective.names), means, strict=True)) | values

    def _compute(self, batch: Batch) -> Tensors:
        if self.network.training:
            self.network.eval()
        outputs = self.forward(*batch.inputs)
        measured = measure_batch(self.watched, self.objective.pairing, outputs, batch)
        return [*self.objective(outputs, batch), *measured]

    def _held(self) -> Tensors:
        return [*self.network.parameters(), *self.network.buffers()]
