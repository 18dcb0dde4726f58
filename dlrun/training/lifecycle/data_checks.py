"""The checks that need the values of the data: after loading, before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import torch

from dlrun.checks.check import Checked
from dlrun.checks.objective import unlimited
from dlrun.checks.scale import check_scale
from dlrun.checks.undefined import check_defined
from dlrun.components.layers import EVERY
from dlrun.data.load import SUM, Loaded
from dlrun.data.prepare import Prepared
from dlrun.data.rows import Rows, blocks
from dlrun.errors import Problem, SpecError, SpecPath, distinct
from dlrun.plan.answers import Answer
from dlrun.plan.data_info import numbers
from dlrun.plan.losses import Term
from dlrun.plan.metrics import Watched
from dlrun.plan.network import Plan
from dlrun.plan.ranges import fixed_total, in_words, limiting, output_ranges
from dlrun.plan.split import sameness
from dlrun.plan.split_sizes import Sameness
from dlrun.plan.steps import Step
from dlrun.shapes import numel
from dlrun.training.objective import Pairing

FEW = 0.01
"""The share of the numbers to predict that may lie outside the range of the outputs, as outliers do."""


def check_loaded(
    checked: Checked,
    planned: Plan,
    loaded: Loaded,
    prepared: Prepared,
    terms: Sequence[Term],
    metrics: Sequence[Watched],
) -> tuple[Problem, ...]:
    """Hold the losses and metrics to the loaded values; returns the notes that the spec does not allow.

    Raises:
        SpecError: the network cannot reach the target; a metric that decides is not defined; with `checked.strict`,
            there is a note.
    """
    reading = checked.reading
    _check_ranges(checked, planned, prepared, terms)
    found = [reading.note(note.name, note.message, ("data", *note.at), note.hint) for note in loaded.notes]
    sameness = _sameness(loaded, planned, prepared, metrics)
    found += check_defined(reading, planned, metrics, loaded.class_counts, sameness)
    if wrong := [problem for problem in found if not problem.note]:
        raise SpecError(wrong)
    found += check_scale(reading, _numbers(checked, loaded), loaded.splits.train)
    notes = distinct((*checked.notes, *reading.unsilenced(found)))[len(checked.notes) :]  # those are shown already
    if notes and checked.strict:
        raise SpecError(notes)
    return notes


def _check_ranges(checked: Checked, planned: Plan, prepared: Prepared, terms: Sequence[Term]) -> None:
    """Refuse outputs with a range that more than a few of the numbers to predict lie outside of, and outputs that sum
    to one number in each row where the numbers to predict do not."""
    ranges, pairing = output_ranges(planned), Pairing(planned.input_shapes)
    for index, pair in enumerate(terms):
        loss = pair.loss
        taken = ranges[planned.outputs[pair.output]]
        total = fixed_total(planned, pair.output)
        if loss.wants != "numbers" or not len(prepared.train) or pair.answer.origin in ("output", "number"):
            continue
        _check_numbers(checked, prepared, pair, ("loss", index))
        if taken == EVERY and total is None:
            continue
        at = ("loss", index) if isinstance(checked.experiment.loss, tuple) else ("loss",)
        margin = 1e-3 * max(abs(end) if math.isfinite(end) else 0.0 for end in taken) + 1e-6
        wrong, count, least, most = 0, 0, math.inf, -math.inf
        for batch in blocks(prepared.train):
            wanted = pairing.given(pair.answer, batch)
            wrong += int(((wanted < taken[0] - margin) | (wanted > taken[1] + margin)).sum())
            count, least, most = count + wanted.numel(), min(least, float(wanted.min())), max(most, float(wanted.max()))
        outside = wrong / count
        if outside > FEW:
            last = limiting(planned, ranges, planned.outputs[pair.output])
            what = "the target" if pair.answer.of_data else "the inputs"
            message = (
                f"the network ends in {last.kind}, whose outputs {in_words(taken)}, and {outside:.0%} of {what} in the "
                f"training rows lie outside: from {least:g} to {most:g}"
            )
            _refuse(checked, at, last, message, f"{unlimited(last)}, or scale the values into its range")
        if total is not None:
            wanted = torch.cat([pairing.given(pair.answer, batch) for batch in blocks(prepared.train)])
            _check_total(checked, *total, wanted, at)


def _check_numbers(checked: Checked, prepared: Prepared, pair: Term, path: SpecPath) -> None:
    """Refuse numbers to predict that the loss is not defined for."""
    loss, pairing = pair.loss, Pairing(checked.plan.input_shapes)
    if loss.lowest_target is None and loss.target_sum is None:
        return
    at = path if isinstance(checked.experiment.loss, tuple) else path[:1]
    for rows in (prepared.train, prepared.validation, prepared.test):
        for batch in blocks(rows):
            wanted = pairing.given(pair.answer, batch).double().flatten(1)
            least = wanted.min().item() if wanted.numel() else 0.0
            if loss.lowest_target is not None and least < loss.lowest_target:
                message = f"{loss.kind} needs targets of {loss.lowest_target:g} or more, and one is {least:g}"
                raise SpecError([Problem(message, checked.reading.place(at))])
            sums = wanted.sum(1)
            if loss.target_sum is not None and (wrong := (sums - loss.target_sum).abs() > SUM).any():
                found = sums[wrong][0].item()
                message = f"{loss.kind} needs targets that sum to {loss.target_sum:g} in each row, and one to {found:g}"
                raise SpecError([Problem(message, checked.reading.place(at))])


def _check_total(checked: Checked, last: Step, total: float, wanted: torch.Tensor, at: SpecPath) -> None:
    """Refuse outputs that sum to `total` in each row where more than a few of the rows to predict do not."""
    rows = wanted.double().reshape(len(wanted), -1)
    sums, margin = rows.sum(1), 1e-3 * max(1.0, rows.abs().sum(1).mean().item())
    if ((sums - total).abs() > margin).double().mean().item() > FEW:
        message = (
            f"the network ends in {last.kind}, whose outputs sum to {total:g} in each row, and the values to predict "
            f"sum to between {sums.min().item():g} and {sums.max().item():g}"
        )
        _refuse(checked, at, last, message, f"remove the final `{last.kind}`")


def _refuse(checked: Checked, at: SpecPath, last: Step, message: str, hint: str) -> NoReturn:
    notes = ((f"this {last.kind}", last.place),) if last.place else ()
    raise SpecError([Problem(message, checked.reading.place(at), hint, notes)])


def _sameness(loaded: Loaded, planned: Plan, prepared: Prepared, metrics: Sequence[Watched]) -> dict[Answer, Sameness]:
    """What is the same in all rows of a split, for each answer of numbers: a target as the data has it, or an input."""
    found: dict[Answer, Sameness] = {}
    for answer in {one.answer for one in metrics if one.metric.needs_spread}:
        if answer.origin in ("output", "number"):
            continue
        if not answer.of_data:
            place = list(planned.input_shapes).index(answer.name)
            parts = (prepared.train, prepared.validation, prepared.test)
            several = numel(planned.input_shapes[answer.name]) > 1
            found[answer] = Sameness(
                tuple(map(len, parts)), tuple(_has_constant(part, place) for part in parts), several
            )
        elif (target := loaded.targets[answer.name]).classes is None:
            found[answer] = sameness(loaded.splits, target.values if target.exact is None else target.exact)
    return found


def _has_constant(rows: Rows, place: int) -> bool:
    """Whether a number of an input is the same in all rows; False without rows."""
    ends: tuple[torch.Tensor, torch.Tensor] | None = None
    for batch in blocks(rows):
        part = batch.inputs[place].flatten(1)
        low, high = part.amin(0), part.amax(0)
        ends = (low, high) if ends is None else (low.minimum(ends[0]), high.maximum(ends[1]))
    return ends is not None and bool((ends[0] == ends[1]).any())


def _numbers(checked: Checked, loaded: Loaded) -> dict[str, np.ndarray[Any, Any]]:
    """The targets of numbers, as the data has them."""
    assert checked.data_info is not None
    found = {name: loaded.targets[name] for name in numbers(checked.data_info)}
    return {name: (one.values if one.exact is None else one.exact).astype(np.float64) for name, one in found.items()}
