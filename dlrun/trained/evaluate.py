"""How good a run is on rows whose targets are known: its own, or those of a new file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from dlrun.checks.check import check
from dlrun.components.losses import IGNORED
from dlrun.components.sources import Source, SourceError
from dlrun.data.batches import Batch
from dlrun.data.fit import TargetSteps
from dlrun.data.load import load
from dlrun.errors import Problem, SpecError
from dlrun.language.experiment import as_tuple
from dlrun.language.suggestions import did_you_mean
from dlrun.network.files import target_steps
from dlrun.plan.data_info import DataInfo, Target
from dlrun.plan.objective import objective
from dlrun.plan.targets import class_numbers
from dlrun.runs import folder as run_folder
from dlrun.runs.run_json import read_run
from dlrun.trained.answers import Answers, Array, joined, with_truth
from dlrun.trained.predict import BLOCK, answers_of, outputs_of
from dlrun.trained.rows import AT, NewRows, source_of
from dlrun.trained.run import TrainedRun
from dlrun.training.evaluation import Measurement, measure_batch
from dlrun.training.objective import Objective, Pairing

Truths = Mapping[str, Array]
"""For each target what is true of some rows: class numbers in the order of the outputs (n, ...), IGNORED where one does
not count; 0 and 1, or numbers in the units of the data, (n, values)."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What the network says of rows, and how good that is."""

    rows: Array
    """(N,) the numbers of the rows in the data."""
    answers: tuple[Answers, ...]
    """Of each output, with what is true where the data says it."""
    metrics: dict[str, float]
    """The losses and the metrics of the spec whose outputs have a target in the data."""


class LabelledRows(Protocol):
    """Rows with their targets."""

    rows: int

    def labelled(self, size: int) -> Iterator[tuple[Array, tuple[torch.Tensor, ...], Truths]]:
        """All rows in order, some at a time: their numbers, the inputs, and what is true."""
        ...


class OwnRows:
    """The rows of a split of the data that a run was trained on."""

    def __init__(self, run: TrainedRun, split: str):
        """Read the data.

        Raises:
            SpecError: it cannot be read, or is not what the run was trained on.
        """
        checked = check(run.folder / run_folder.RESOLVED, training=True, from_checkpoint=True)
        assert checked.data_info is not None
        try:
            self.loaded = load(checked.experiment.need("data"), checked.data_info, checked.experiment.seed)
        except SourceError as error:
            raise SpecError([Problem(error.message, hint=error.hint)]) from None
        if self.loaded.digest != (then := read_run(run.folder).info.tags.get("data.hash")):
            message = f"the data is not what {run.folder.name} was trained on: its SHA-256 was {then}"
            raise SpecError(f"{message}, now {self.loaded.digest}\n  --data FILE evaluates the rows of a file")
        self.run, self.numbers = run, self.loaded.splits.named()[split]
        self.rows = len(self.numbers)
        if not self.rows:
            raise SpecError(f"{run.folder.name} has no {split} rows")

    def labelled(self, size: int) -> Iterator[tuple[Array, tuple[torch.Tensor, ...], Truths]]:
        for start in range(0, self.rows, size):
            numbers = self.numbers[start : start + size]
            inputs = []
            for entry in self.run.inputs:
                values = np.asarray(self.loaded.features[entry.name][numbers]).reshape(-1, *entry.shape)
                inputs.append(torch.from_numpy(values.astype(np.int64 if entry.indices else np.float64)))
            truths = {}
            for name, found in self.loaded.targets.items():
                values = found.values if found.exact is None else found.exact
                truths[name] = values[numbers]
            yield numbers, tuple(inputs), truths


class NewLabelledRows(NewRows):
    """The rows of a file that has the targets too."""

    def __init__(self, run: TrainedRun, source: Source):
        super().__init__(run, source, run.targets)

    def labelled(self, size: int) -> Iterator[tuple[Array, tuple[torch.Tensor, ...], Truths]]:
        for numbers, inputs in self.blocks(size):
            rows = slice(int(numbers[0]), int(numbers[-1]) + 1)
            yield numbers, inputs, {name: values[rows] for name, values in self.truths.items()}

    @cached_property
    def truths(self) -> Truths:
        """Of all rows."""
        return {name: self._truth(target) for name, target in self.run.targets.items()}

    def _truth(self, target: Target) -> Array:
        if target.labels is None or target.wants == "probabilities":
            values = np.asarray(self.table.numbers(list(target.fields)), np.float64)
            return values.reshape(len(values), *(target.shape or (1,)))
        found = self.table.texts(target.fields[0])
        if unknown := [text for text in found.distinct if text not in target.labels]:
            meant = did_you_mean(unknown[0], target.labels, {})
            few = ", ".join(target.labels[:10]) + (", …" if len(target.labels) > 10 else "")
            message = f"'{target.fields[0]}' of {self.name} has '{unknown[0]}', which is no class of the run{meant}"
            raise SpecError([Problem(message, hint=f"the classes are {few}")])
        classes = class_numbers(found, target.labels).astype(np.int64).reshape(-1, *target.shape)
        if target.ignored is not None:
            classes = np.where(classes == target.ignored, IGNORED, classes)
        return (classes == target.positive).astype(np.int64).reshape(-1, 1) if target.wants == "binary" else classes


def evaluate(run: TrainedRun, rows: LabelledRows) -> Evaluation:
    """The answers for rows with their targets, and the losses and metrics of the spec."""
    experiment = run.reading.sections
    known = read_run(run.folder).info
    info = DataInfo(0, {}, run.targets)
    losses = [loss for loss in as_tuple(experiment["loss"]) if _is_judged(run, loss.output)]
    outputs = {output.name for output in run.outputs if output.target}
    metrics = [metric for metric in experiment.get("metrics", ()) if metric.output is None or metric.output in outputs]
    terms, watched = objective(losses, metrics, run.plan, info, known.classes) if losses else ([], [])
    # The whole network gives no logits beside its outputs; those are exact enough here.
    terms = [replace(one, from_logits=False) for one in terms if one.answer.of_data]
    scales: TargetSteps = target_steps(run.folder, run.reading)
    pairing = Pairing(run.plan.input_shapes, scales)
    wanted = Objective(terms, pairing) if terms else None
    measurement, sums = Measurement(watched, rows.rows), []
    numbers: list[Array] = []
    parts: list[list[Answers]] = []
    with torch.inference_mode():
        for block, inputs, truths in rows.labelled(BLOCK):
            given = outputs_of(run.network, block, inputs, run.outputs[0].name)
            numbers.append(block)
            parts.append([with_truth(answers_of(one, given[one.name]), truths.get(one.target)) for one in run.outputs])
            if wanted is None:
                continue
            batch = _batch(inputs, truths, run.targets, scales)
            scaled = {one.name: _scaled(given[one.name], scales.get(one.target, ())) for one in run.outputs}
            values: Any = scaled if len(scaled) > 1 else next(iter(scaled.values()))
            measurement.add(measure_batch(watched, pairing, values, batch))
            sums.append(wanted.summed([value.item() for value in wanted(values, batch)], len(block)))
    found_metrics: dict[str, float] = {}
    if wanted is not None:
        means = wanted.means([math.fsum(column) for column in zip(*sums, strict=True)], rows.rows)
        found_metrics = dict(zip(("loss", *wanted.names), means, strict=True))
        if len(terms) < len(as_tuple(experiment["loss"])):  # without the others, their sum is no loss of the spec
            total = found_metrics.pop("loss")
            if not wanted.names:
                found_metrics[terms[0].name] = total / terms[0].loss.coefficient
        found_metrics |= measurement.values()
    return Evaluation(np.concatenate(numbers), tuple(map(joined, zip(*parts, strict=True))), found_metrics)


def _is_judged(run: TrainedRun, output: str | None) -> bool:
    """Whether a loss compares the output with a target of the data."""
    return any(one.target for one in run.outputs if output in (None, one.name))


def _batch(inputs: Sequence[torch.Tensor], truths: Truths, targets: Mapping[str, Target], scales: TargetSteps) -> Batch:
    """Rows as losses and metrics compare them."""
    answers: dict[str, torch.Tensor] = {}
    exact: dict[str, torch.Tensor] = {}
    for name, values in truths.items():
        found = torch.from_numpy(values)
        if targets[name].wants == "classes":
            answers[name] = found.long()
            continue
        answers[name] = _scaled(found, scales.get(name, ())).float()
        if targets[name].wants == "numbers":
            exact[name] = found.double()
    return Batch(tuple(inputs), answers, exact)


def _scaled(values: torch.Tensor, steps: Sequence[Any]) -> torch.Tensor:
    """Numbers in the units of the loss."""
    for step in steps:
        values = step(values.double())
    return values.float() if steps else values


def texts_of(run: TrainedRun, data: Path | None, column: str) -> Array:
    """The values of a column as texts, for every row of a file, or of the run's own data.

    Raises:
        SpecError: there is no such column, or it cannot be read so.
    """
    source = run.source if data is None else source_of(run, data)
    try:
        table = source.open(run.folder)
        if column not in table.fields:
            message = f"{table.name} has no {table.noun} '{column}'{did_you_mean(column, table.fields, {})}"
            raise SpecError([Problem(message, hint=table.listed())])
        table.read({}, {column: AT})
        found = table.texts(column)
    except SourceError as error:
        raise SpecError([Problem(error.message, hint=error.hint)]) from None
    if len(found.rows) != table.rows:
        raise SpecError(f"'{column}' has several values in each row, so it divides no rows")
    return np.array(found.distinct, object)[found.rows]


def rows_of(run: TrainedRun, data: Path | None, split: str) -> LabelledRows:
    """The rows to evaluate: those of a file, or of a split of the run's own data.

    Raises:
        SpecError: they cannot be read.
    """
    return OwnRows(run, split) if data is None else NewLabelledRows(run, source_of(run, data))
