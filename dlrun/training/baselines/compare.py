"""Compare a trained network with simpler methods, and write the results to the run's folder.

It begins when the run is complete, so whatever happens here changes nothing of the run: no baseline that fails or takes
too long, no signal, and no kill. What is missing then, `dlrun resume` computes.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from dlrun.components.baselines import Baseline, BaselineError
from dlrun.data.rows import Rows
from dlrun.errors import RunError
from dlrun.plan.baselines import names
from dlrun.plan.length import evaluation_batch
from dlrun.plan.metrics import judging
from dlrun.runs.baselines import BaselineResult, Comparison, read_comparison, write_comparison
from dlrun.training.baselines.figures import figures, noise, some, without_inputs
from dlrun.training.baselines.rows import Array, Predicted, blocks, features, sample
from dlrun.training.baselines.verdict import Duel, verdict
from dlrun.training.baselines.worker import Stopped, Worker
from dlrun.training.loop import Training
from dlrun.training.objective import Outputs, each


class BaselineWatcher(Protocol):
    """Is called before each baseline."""

    def baseline(self, name: str, number: int, count: int) -> None:
        """Baseline `number` of `count` begins."""
        ...


class Comparing:
    """The comparison of a run; each result is written as soon as it is there."""

    def __init__(self, training: Training, chosen: Sequence[Baseline], classes: int | None, folder: Path):
        """`training` has the weights that are tested; `classes` is how many the target has."""
        self.task, self.state = training.task, training.state
        self.folder, self.chosen = folder, tuple(zip(names(chosen), chosen, strict=True))
        term = self.task.objective.terms[0]
        data, given = self.task.data, self.task.given
        self.splits = {name: rows for name, rows in (("validation", data.validation), ("test", data.test)) if len(rows)}
        self.given = {"validation": given.validation, "test": given.test}
        """The rows of each split with the network's inputs."""
        self.deciding = next(reversed(self.splits), "")
        first = self.network_outputs(data.train, 1)
        shape = (first[term.output] if isinstance(first, dict) else first).shape[1:]
        self.predicted = Predicted(term, tuple(shape), classes)
        self.best: dict[str, Outputs] = {}
        """For each baseline its outputs on the deciding split."""
        self.last = 0

    def begin(self, network: dict[str, float]) -> None:
        """Write that the comparison is to be made; `network` has the figures of the tested weights on the test rows.

        What an earlier comparison of this run found stays until it is found again.
        """
        rows = self.splits[self.deciding]
        if self.deciding != "test":
            network = figures(self.network_outputs(rows), without_inputs(rows), self.task.objective, self.task.watched)
        earlier = None
        with contextlib.suppress(RunError):  # a damaged file is written again
            earlier = read_comparison(self.folder)
        known = {name for name, _ in self.chosen}
        results = tuple(result for result in earlier.results if result.name in known) if earlier else ()
        self.comparison = Comparison(self.deciding, len(rows), dict(network), results)
        write_comparison(self.folder, self.comparison)

    def run(self, watcher: BaselineWatcher) -> Comparison:
        """Fit and measure every baseline.

        Raises:
            Stopped: a signal came.
            RunError: a result cannot be written.
        """
        with Worker(lambda: self.state.stop_request.number is not None) as worker:
            for number, (name, baseline) in enumerate(self.chosen, 1):
                watcher.baseline(name, number, len(self.chosen))
                self._add(self._result(worker, name, baseline))
        self.comparison = replace(self.comparison, complete=True, verdict=self._verdict())
        write_comparison(self.folder, self.comparison)
        return self.comparison

    def _result(self, worker: Worker, name: str, baseline: Baseline) -> BaselineResult:
        task, started = self.task, self._now()
        train = sample(task.given.train, baseline, task.seed)
        settings = {key: str(value) for key, value in baseline.written()[baseline.kind].items()}
        settings = {"baseline": baseline.kind, **settings, "rows": str(len(train))}
        metrics: dict[str, float] = {}
        trouble = remark = ""
        try:
            worker.limit(baseline.seconds)
            metrics, remark = self._measured(worker, name, baseline, train)
        except BaselineError as error:
            trouble = str(error)
        return BaselineResult(name, settings, started, self._now(), metrics, trouble, remark)

    def _now(self) -> int:
        """Milliseconds since 1970, later than any that was returned before."""
        self.last = max(self.last + 1, time.time_ns() // 1_000_000)
        return self.last

    def _measured(self, worker: Worker, name: str, baseline: Baseline, train: Rows) -> tuple[dict[str, float], str]:
        task, predicted = self.task, self.predicted
        metrics: dict[str, float] = {}
        remark = ""
        found: dict[str, list[Array]] = {split: [] for split in self.splits}
        for fit in range(predicted.fits):
            rows = ((features(block), predicted.answers(block, fit)) for block in blocks(train))
            own, remark = worker.fit(baseline, rows, predicted.classes, task.seed)
            metrics |= own
            for split, parts in found.items():
                parts.append(np.concatenate([worker.predict(features(block)) for block in blocks(self.given[split])]))
        for split, part in self.splits.items():
            outputs = predicted.outputs(found[split], task.device)
            values = figures(outputs, without_inputs(part), task.objective, task.watched)
            metrics |= {f"{split}/{figure}": value for figure, value in values.items()}
            if split == self.deciding:
                self.best[name] = outputs
        return metrics, remark

    def _add(self, result: BaselineResult) -> None:
        """Add a result in place of an earlier one of that name, whose times it keeps: a tracker knows it by them."""
        results = {earlier.name: earlier for earlier in self.comparison.results}
        if (earlier := results.get(result.name)) is not None and earlier.settings == result.settings:
            result = replace(result, started=earlier.started, ended=earlier.ended)
        results[result.name] = result
        order = [name for name, _ in self.chosen]
        shown = tuple(sorted(results.values(), key=lambda one: order.index(one.name)))
        self.comparison = replace(self.comparison, results=shown)
        write_comparison(self.folder, self.comparison)

    def _verdict(self) -> str:
        """The sentence about the metric that compares, or the loss where there is none."""
        judge = judging(self.task.watched)
        figure = judge.name if judge else "loss"
        rising = judge is not None and bool(judge.metric.greater_is_better)
        watched = [judge] if judge else []
        network, comparison = self.comparison.network.get(figure, math.nan), self.comparison
        values = {one.name: comparison.value(one, figure) for one in comparison.results if one.name in self.best}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        if not values or not math.isfinite(network):
            return ""
        name = (max if rising else min)(values, key=lambda name: values[name])
        rows = without_inputs(self.splits[self.deciding])
        sides = self.network_outputs(self.splits[self.deciding]), self.best[name]
        objective = self.task.objective

        def difference(numbers: torch.Tensor) -> float:
            if self.state.stop_request.number is not None:
                raise Stopped
            there = rows[numbers]
            ours, theirs = (figures(some(side, numbers), there, objective, watched)[figure] for side in sides)
            return ours - theirs

        error = noise(difference, len(rows), self.task.device)
        return verdict(Duel(figure, rising, network, values[name], name, error, len(rows), self.deciding))

    @torch.no_grad()
    def network_outputs(self, rows: Rows, most: int | None = None) -> Outputs:
        """The network's outputs for rows, or for the first of them, in float64."""
        task = self.task
        size = task.settings.batch_size
        size = evaluation_batch(len(task.data.train) if size == "full" else size)
        was_training = task.computed.training
        task.computed.eval()
        count = len(rows) if most is None else min(most, len(rows))
        starts = range(0, count, size)
        parts = [task.forward(*rows.batch(slice(start, min(start + size, count))).inputs) for start in starts]
        task.computed.train(was_training)
        return _concatenated([each(part, lambda values: values.double()) for part in parts])


def _concatenated(parts: Sequence[Outputs]) -> Outputs:
    first = parts[0]
    if isinstance(first, dict):
        return {name: torch.cat([part[name] for part in parts if isinstance(part, dict)]) for name in first}
    return torch.cat([part for part in parts if isinstance(part, torch.Tensor)])
