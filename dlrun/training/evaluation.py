"""Measuring a split: losses and metrics add up on the device and are read once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from dlrun.components.metrics import MERGED
from dlrun.data.batches import Batch, Tensors
from dlrun.data.rows import Rows
from dlrun.plan.metrics import Watched
from dlrun.shapes import numel
from dlrun.training.objective import Forward, Objective, Outputs, Pairing
from dlrun.training.speed.capture import Repeated


def measure_batch(watched: Sequence[Watched], pairing: Pairing, outputs: Outputs, batch: Batch) -> Tensors:
    """Each metric's partial result for a batch; the outputs are detached from autograd."""
    return [one.metric.measure(*pairing.compared(one, outputs, batch), one.output_form) for one in watched]


class Measurement:
    """The metrics of a split, added up over its batches."""

    def __init__(self, watched: Sequence[Watched], rows: int):
        """`rows` is how many there are."""
        self.watched, self.rows = watched, rows
        self.parts: dict[str, list[torch.Tensor]] = {}
        """For each metric the sum so far; or one tensor per batch, to merge; or one with a place for every row."""
        self.filled: dict[str, int] = {}
        """For each metric that needs all rows, how many are there."""

    def add(self, measured: Sequence[torch.Tensor]) -> None:
        """Add the partial results of `measure_batch`; nothing is read from the device."""
        for one, value in zip(self.watched, measured, strict=True):
            parts = self.parts.setdefault(one.name, [])
            if one.metric.combine == "concatenate":
                self._keep(one.name, value, numel(one.positions))
            elif one.metric.combine == "merge":
                parts.append(value)
                if len(parts) == MERGED:
                    parts[:] = [one.metric.merge(torch.stack(parts))]
            elif parts:
                parts[0] += value
            else:
                parts.append(value.clone())  # results of captured code must not be changed by ordinary code

    def _keep(self, name: str, rows: torch.Tensor, positions: int) -> None:
        """Put rows, or positions, behind those that are there, without a copy of these."""
        parts, filled = self.parts[name], self.filled.get(name, 0)
        if not parts:
            parts.append(rows.new_empty((self.rows * positions, *rows.shape[1:])))
        self.filled[name] = filled + len(rows)
        parts[0][filled : self.filled[name]] = rows

    def values(self) -> dict[str, float]:
        """The metrics of everything added so far, read from the device together; it is not kept."""
        if not self.watched:
            return {}
        values = [
            one.metric.value(self._combined(one), one.shape, one.of, one.output_form).reshape(-1)
            for one in self.watched
        ]
        self.parts, self.filled = {}, {}
        names = [name for one in self.watched for name in one.names]
        return dict(zip(names, torch.cat(values).tolist(), strict=True))

    def _combined(self, one: Watched) -> torch.Tensor:
        parts = self.parts[one.name]
        if one.metric.combine == "concatenate":
            return parts[0][: self.filled[one.name]]
        return parts[0] if len(parts) == 1 else one.metric.merge(torch.stack(parts))

    def as_tensors(self) -> dict[str, torch.Tensor]:
        """All that has been added, for a checkpoint."""
        tensors = {}
        for one in self.watched:
            if parts := self.parts.get(one.name):
                # Merged again at the same places after a resume: so the bits are the same.
                tensors[one.name] = torch.stack(parts) if one.metric.combine == "merge" else self._combined(one)
        return tensors

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Continue from what `as_tensors` returned."""
        self.parts, self.filled = {}, {}
        for one in self.watched:
            if one.name not in tensors:
                continue
            tensor = tensors[one.name]
            self.parts[one.name] = [*tensor] if one.metric.combine == "merge" else [tensor]
            if one.metric.combine == "concatenate":
                self.parts[one.name] = []
                self._keep(one.name, tensor, numel(one.positions))


class Evaluator:
    """Measures a network without training it; for a small network the computation is captured, as its steps are."""

    def __init__(
        self,
        network: torch.nn.Module,
        forward: Forward,
        objective: Objective,
        watched: Sequence[Watched],
        captures: bool,
    ):
        """`forward` is the network's forward pass, in the precision of the measurement."""
        self.network, self.forward = network, forward
        self.objective, self.watched = objective, watched
        self.repeated = Repeated(self._compute, self._tensors, captures)

    @torch.no_grad()
    def __call__(self, rows: Rows, batch_size: int) -> dict[str, float]:
        """The losses and the metrics over all rows, by name; the sum of the losses is `loss`."""
        count = self.objective.width
        measurement = Measurement(self.watched, len(rows))
        losses, sizes = [], []
        for start in range(0, len(rows), batch_size):
            batch = rows.batch(slice(start, start + batch_size))
            results = self.repeated(batch)
            losses.append(torch.stack(results[:count]))
            sizes.append(len(batch))
            measurement.add(results[count:])
        read = torch.stack(losses).T.tolist()
        values = measurement.values()
        if not self.network.training:
            self.network.train()
        means = self._means(read, sizes)
        lost = self._lost(means)
        values |= {name: math.nan for one in self.watched if one.output in lost for name in one.names}
        return dict(zip(("loss", *self.objective.names), means, strict=True)) | values

    def _means(self, read: Sequence[Sequence[float]], sizes: Sequence[int]) -> list[float]:
        """The mean of each loss: `read` has for each value of the objective those of all batches."""
        batches = zip(zip(*read, strict=True), sizes, strict=True)
        parts = [self.objective.summed(values, size) for values, size in batches]
        return self.objective.means([math.fsum(column) for column in zip(*parts, strict=True)], sum(sizes))

    def _lost(self, means: Sequence[float]) -> set[str]:
        """The outputs that are not numbers, which shows in their loss: a decision made of them would look like one."""
        each = means[1:] if self.objective.names else means
        return {term.output for term, mean in zip(self.objective.terms, each, strict=True) if math.isnan(mean)}

    def _compute(self, batch: Batch) -> Tensors:
        if self.network.training:
            self.network.eval()
        outputs = self.forward(*batch.inputs)
        measured = measure_batch(self.watched, self.objective.pairing, outputs, batch)
        return [*self.objective(outputs, batch), *measured]

    def _tensors(self) -> Tensors:
        return [*self.network.parameters(), *self.network.buffers(), *self.objective.tensors()]
