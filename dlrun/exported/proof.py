"""Whether what is written gives what the network gives: both compute the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dlrun.errors import RunError, SpecError
from dlrun.exported.program import Program, as_rows, decision_of
from dlrun.modules.frozen_map import FrozenMap, back
from dlrun.network.preprocessing import maps_before
from dlrun.trained.evaluate import OwnRows
from dlrun.trained.predict import answers_of, outputs_of
from dlrun.trained.run import TrainedInput, TrainedOutput, TrainedRun

Array = np.ndarray[Any, Any]
Inputs = tuple[torch.Tensor, ...]
Compute = Callable[[Inputs], Mapping[str, Array]]
"""What is written at work: from batches of the inputs, as the program takes them, to those of the outputs."""

SPLITS = "test", "validation", "train"
MOST = 256
"""Rows that are compared."""
RELATIVE = 1e-4
"""How far from the network's an answer may be, as a share of the largest one: both are computed in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows that both compute."""

    inputs: Inputs
    """Each input of them, after its encoders."""
    what: str
    """Which rows they are."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.inputs[0])


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the answers are from the network's."""

    output: str
    largest: float
    tolerance: float


def rows_to_compare(run: TrainedRun) -> Rows:
    """Some rows of the run's own data, test rows where there are any; where it cannot be read, rows that are drawn."""
    trouble = ""
    for split in SPLITS:
        try:
            rows = OwnRows(run, split)
        except SpecError as error:
            trouble = trouble or error.problems[0].message
            continue
        _, inputs, _ = next(rows.labelled(MOST))
        return Rows(inputs, f"{len(inputs[0])} {split} rows of the run")
    generator = torch.Generator().manual_seed(0)
    drawn = tuple(_drawn(run, entry, generator) for entry in run.inputs)
    return Rows(drawn, f"{MOST} drawn rows; its own cannot be read: {trouble}")


def _drawn(run: TrainedRun, entry: TrainedInput, generator: torch.Generator) -> torch.Tensor:
    """Indices of any sort; numbers that the maps make standard normal, or numbers between 0 and 1."""
    shape = (MOST, *entry.shape)
    if entry.indices:
        return torch.randint(entry.limit or 2, shape, generator=generator)
    maps = [one for one in maps_before(run.network, entry.name) if isinstance(one, FrozenMap)]
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    try:
        return back(maps)(normal) if maps else normal
    except NotImplementedError:  # a map that cannot be undone
        return torch.rand(shape, generator=generator, dtype=torch.float64)


def prove(run: TrainedRun, rows: Rows, compute: Compute, program: Program | None = None) -> tuple[Difference, ...]:
    """Hold what is written to the network, with all rows together and with one; where the number of steps is free,
    with fewer and more steps too.

    Args:
        run: the run.
        rows: the rows that both compute.
        compute: what is written, at work.
        program: what it was made of, where the numbers of its rows and steps are free.

    Raises:
        RunError: an answer is further from the network's than float32 explains.
    """
    given = as_rows(run, rows.inputs)
    with torch.inference_mode():
        found = outputs_of(run.network, np.arange(rows.count), rows.inputs, run.outputs[0].name)
        wanted: dict[str, Array] = {one.name: answers_of(one, found[one.name]).chances for one in run.outputs}
    pairs = [(wanted, compute(given))]
    if program is not None:
        pairs.append(({name: values[:1] for name, values in wanted.items()}, compute(tuple(x[:1] for x in given))))
        for other in _of_other_lengths(program, given):
            with torch.inference_mode():
                outputs = program.module(*other)
            pairs.append(({name: values.numpy() for name, values in outputs.items()}, compute(other)))
    if program is not None:
        for one in run.outputs:
            _need_decisions(run, one, pairs)
    return tuple(difference(run, one.name, pairs) for one in run.outputs)


def _need_decisions(
    run: TrainedRun, output: TrainedOutput, pairs: Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]
) -> None:
    """Hold the decisions of an output to those of least expected cost, as far as float32 tells costs apart.

    Raises:
        RunError: a decision is another one.
    """
    if output.decision is None:
        return
    costs = np.array(output.decision.costs)
    for wanted, found in pairs:
        expected = wanted[output.name].astype(np.float64) @ costs
        taken = np.take_along_axis(expected, found[decision_of(output)][..., None], -1)[..., 0]
        if (taken - expected.min(-1) > RELATIVE * costs.max()).any():
            raise RunError(f"{run.folder.name} is not exported: '{decision_of(output)}' would be other classes")


def _of_other_lengths(program: Program, given: Inputs) -> list[Inputs]:
    """The same rows with half as many steps, and with half as many again, where their number is free."""
    if not program.steps:
        return []
    found = []
    for share in (0.5, 1.5):
        other = []
        for port, x in zip(program.inputs, given, strict=True):
            if port.steps is not None:
                least, most = program.steps[port.steps]
                count = min(max(least, int(share * x.shape[1])), most or 2 * x.shape[1])
                x = torch.cat((x, x), 1)[:, :count]
            other.append(x)
        found.append(tuple(other))
    return found


def difference(
    run: TrainedRun, output: str, pairs: Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]
) -> Difference:
    """How far an output is from the network's.

    Args:
        run: the run.
        output: its name.
        pairs: what the network says of some rows, by output, and what is written does.

    Raises:
        RunError: it is further than float32 explains.
    """
    largest, scale = 0.0, 0.0
    for wanted, found in pairs:
        want, have = wanted[output].astype(np.float64), found[output].astype(np.float64)
        if have.size != want.size or len(have) != len(want):
            raise RunError(f"{run.folder.name} is not exported: '{output}' is {have.shape} instead of {want.shape}")
        have = have.reshape(want.shape)
        with np.errstate(invalid="ignore"):
            apart = np.where((want == have) | (np.isnan(want) & np.isnan(have)), 0.0, np.abs(have - want))
        largest = max(largest, float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0)))
        scale = max(scale, float(np.abs(want[np.isfinite(want)]).max(initial=0.0)))
    tolerance = RELATIVE * (scale or 1.0)
    if largest > tolerance:
        message = f"{run.folder.name} is not exported: '{output}' would be up to {largest:.2g} from the network's"
        raise RunError(f"{message}, and float32 explains {tolerance:.2g} at most")
    return Difference(output, largest, tolerance)
