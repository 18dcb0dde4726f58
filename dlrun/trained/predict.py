"""The network of a run at work on new rows: its answers, block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import fx

from dlrun.components.metrics._probabilities import log_probabilities
from dlrun.errors import SpecError
from dlrun.modules.frozen_map import OutOfDomainError
from dlrun.trained.answers import Answers, Array
from dlrun.trained.rows import NewRows
from dlrun.trained.run import TrainedOutput, TrainedRun, numbered
from dlrun.trained.values import shape_of, until

BLOCK = 1024
"""Rows that pass through the network together."""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The answers for some neighbouring rows."""

    numbers: Array
    """(n,) of the rows in the data, from 0 on."""
    answers: tuple[Answers, ...]
    """Of each output."""

    @property
    def lacking(self) -> int:
        """How many rows have an output that is not a number."""
        found = [np.isnan(one.values).any(tuple(range(1, one.values.ndim))) for one in self.answers]
        return int(np.any(found, axis=0).sum())


def predict(
    run: TrainedRun,
    rows: NewRows,
    at: str | None = None,
    outputs: Callable[[Array, Sequence[torch.Tensor]], Mapping[str, torch.Tensor]] | None = None,
) -> Iterator[Predicted]:
    """The answers for all rows, in order.

    Args:
        run: the run.
        rows: the rows.
        at: a layer whose output is given in place of the answers; see `dlrun.trained.values`.
        outputs: what gives the outputs of the network by name, for the numbers of some rows and each input; unless
            given, they are computed here.

    Raises:
        SpecError: a row cannot be what the network takes; there is no such layer.
    """
    network = run.network if at is None else until(run, at)
    any_rows = False

    def answers(numbers: Array, inputs: Sequence[torch.Tensor]) -> tuple[Answers, ...]:
        found = outputs(numbers, inputs) if outputs else outputs_of(network, numbers, inputs, at or run.outputs[0].name)
        if at is not None:
            return (_of_layer(at, found[at]),)
        return tuple(answers_of(output, found[output.name]) for output in run.outputs)

    with torch.inference_mode():
        for numbers, found in rows.used(BLOCK, answers):
            any_rows = True
            yield Predicted(numbers, found)
        if not any_rows:
            yield Predicted(np.arange(0), tuple(map(_without_rows, _shaped(run, at))))


def _shaped(run: TrainedRun, at: str | None) -> Iterator[Answers]:
    """Answers of the right shape for one row, of no meaning."""
    if at is not None:
        yield _of_layer(at, torch.zeros(1, *shape_of(run, at)))
        return
    for output in run.outputs:
        yield answers_of(output, torch.zeros(1, *run.plan.output_shape(output.name)))


def _without_rows(answers: Answers) -> Answers:
    return replace(answers, values=answers.values[:0])


def outputs_of(
    network: fx.GraphModule, numbers: Array, inputs: Sequence[torch.Tensor], only: str
) -> Mapping[str, torch.Tensor]:
    """The outputs for some rows by name; one that is the only one is called `only`.

    Raises:
        SpecError: a step of the preprocessing is not defined for a number of a row.
    """
    try:
        found = network(*inputs)
    except OutOfDomainError as error:
        raise SpecError(f"row {numbers[error.row]} holds {error.value:g}; {error.message}") from None
    return found if isinstance(found, dict) else {only: found}


def answers_of(output: TrainedOutput, values: torch.Tensor) -> Answers:
    """What an output of the network, a batch (N, ...), says."""
    return Answers(
        output.name,
        output.kind,
        output.fields,
        output.labels,
        _values(output, values),
        are_probabilities=output.are_probabilities,
        decision=output.decision,
    )


def _values(output: TrainedOutput, values: torch.Tensor) -> Array:
    """Probabilities, scores or numbers, in the form that `Answers` has."""
    found = said(output, values)
    return found.flatten(1).numpy() if output.kind == "numbers" else found.double().numpy()


def said(output: TrainedOutput, values: torch.Tensor) -> torch.Tensor:
    """What an output of the network, a batch (N, ...), says: probabilities or scores, (N, ..., classes) or (N, fields),
    or the numbers as they are. A network that is exported ends with it."""
    if output.kind == "numbers":
        return values
    if output.kind == "yes_or_no" or (len(output.labels) == 2 and math.prod(values.shape[1:]) == 1):
        single = values.flatten(1)
        if output.are_probabilities:
            single = log_probabilities(single, torch.zeros_like(single), output.form)[0][:, 1].exp().view(single.shape)
        else:
            single = torch.where(single.isnan(), single, (single > 0).to(single.dtype))
        return torch.cat((1 - single, single), 1) if output.kind == "classes" else single
    values = values.movedim(1, -1) if values.dim() > 3 else values
    if not output.are_probabilities:
        return values
    flat = values.flatten(0, -2)
    zeros = torch.zeros_like(flat[:, 0], dtype=torch.int64)
    return log_probabilities(flat, zeros, output.form)[0].exp().view(values.shape)


def _of_layer(name: str, values: torch.Tensor) -> Answers:
    flat = values.flatten(1).float()
    return Answers(name, "numbers", numbered(name, flat.shape[1]), (), flat.numpy())
