"""The checks that need the values of the data: after loading, before the first step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlrun.checks.check import Checked
from dlrun.components.layers import EVERY
from dlrun.data.load import Loaded
from dlrun.data.prepare import Prepared
from dlrun.errors import Problem, SpecError, SpecPath, distinct
from dlrun.language.experiment import TARGET
from dlrun.plan.data_info import numbers
from dlrun.plan.network import Plan
from dlrun.plan.objective import Term, Watched
from dlrun.plan.ranges import fixed_total, in_words, limiting, output_ranges
from dlrun.plan.steps import Step
from dlrun.training.objective import Pairing

if TYPE_CHECKING:
    import torch

FEW = 0.01
"""The share of the numbers to predict that may lie outside the range of the outputs, as outliers do."""
FAR, NEAR = 10.0, 0.01
"""Targets whose mean or spread is larger than the one, or whose spread is smaller than the other, need scaling."""


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
    found += _undefined(checked, loaded, metrics)
    found += _unscaled(checked, loaded)
    notes = distinct(reading.unsilenced(found))
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
        if loss.wants != "numbers" or (taken == EVERY and total is None) or not len(prepared.train):
            continue
        wanted = pairing.answer(pair.answer, prepared.train)
        at = ("loss", index) if isinstance(checked.experiment.loss, tuple) else ("loss",)
        margin = 1e-3 * max(abs(end) if math.isfinite(end) else 0.0 for end in taken) + 1e-6
        outside = ((wanted < taken[0] - margin) | (wanted > taken[1] + margin)).double().mean().item()
        if outside > FEW:
            last = limiting(planned, ranges, planned.outputs[pair.output])
            what = "the inputs" if pair.answer.is_input else "the target"
            message = (
                f"the network ends in {last.kind}, whose outputs {in_words(taken)}, and {outside:.0%} of {what} in the "
                f"training rows lie outside: from {wanted.min().item():g} to {wanted.max().item():g}"
            )
            notes = ((f"this {last.kind}", last.place),) if last.place else ()
            hint = f"remove the final `{last.kind}`, or bring the values into its range"
            raise SpecError([Problem(message, checked.reading.place(at), hint, notes)])
        if total is not None:
            _check_total(checked, *total, wanted, at)


def _check_total(checked: Checked, last: Step, total: float, wanted: torch.Tensor, at: SpecPath) -> None:
    """Refuse outputs that sum to `total` in each row where more than a few of the rows to predict do not."""
    rows = wanted.double().reshape(len(wanted), -1)
    sums, margin = rows.sum(1), 1e-3 * max(1.0, rows.abs().sum(1).mean().item())
    if ((sums - total).abs() > margin).double().mean().item() > FEW:
        message = (
            f"the network ends in {last.kind}, whose outputs sum to {total:g} in each row, and the values to predict "
            f"sum to between {sums.min().item():g} and {sums.max().item():g}"
        )
        notes = ((f"this {last.kind}", last.place),) if last.place else ()
        hint = f"remove the final `{last.kind}`"
        raise SpecError([Problem(message, checked.reading.place(at), hint, notes)])


def _undefined(checked: Checked, loaded: Loaded, metrics: Sequence[Watched]) -> Iterator[Problem]:
    """Notes about metrics that a split lacks a class for, or in which a number to predict is always the same.

    Raises:
        SpecError: such a metric decides which weights are the best.
    """
    stopping = checked.experiment.train.early_stopping
    hint = "`data.split.stratify: true` gives every split rows of each class"
    other = "choose another metric, or leave out what is always the same"
    for index, one in enumerate(metrics):
        if one.answer.is_input:
            continue
        counts = loaded.class_counts.get(one.answer.name, {})
        for number, split in enumerate(("train", "validation", "test")):
            what = _lacking(one, counts, number) if counts else _constant(one, loaded, split)
            if not what:
                continue
            message = f"{split} has {what}, so {one.name} is not defined there"
            if stopping is not None and stopping.monitor == f"{split}/{one.name}":
                place = checked.reading.place(("train", "early_stopping", "monitor"))
                raise SpecError([Problem(message, place, hint if counts else other)])
            yield checked.reading.note("undefined_metric", message, ("metrics", index), hint if counts else other)


def _lacking(one: Watched, counts: Mapping[str, Sequence[int]], number: int) -> str:
    """The class that a split lacks for a metric; '' where it lacks none."""
    rows = {label: of_splits[number] for label, of_splits in counts.items()}
    if not one.metric.needs_every_class or not any(rows.values()):
        return ""
    lacking = [label for label in ([one.label] if one.label else rows) if not rows[label]]
    if one.label and rows[one.label] == sum(rows.values()):
        lacking = [f"a class besides {one.label}"]
    more = f" and {len(lacking) - 1} more classes" if len(lacking) > 1 else ""
    return f"no row of {lacking[0]}{more}" if lacking else ""


def _constant(one: Watched, loaded: Loaded, split: str) -> str:
    """The value that a number to predict has in all rows of a split, where the metric needs others; '' if it needs none
    or has some."""
    answers, rows = loaded.targets[one.answer.name], getattr(loaded.splits, split)
    if not one.metric.needs_spread or not len(rows):
        return ""
    values = (answers.values if answers.exact is None else answers.exact)[rows].reshape(len(rows), -1)
    same = np.flatnonzero((values == values[0]).all(0))
    which = f" number {same[0]} of" if len(same) and values.shape[1] > 1 else ""
    return f"{values[0, same[0]]:g} in all rows as{which} the target" if len(same) else ""


def _unscaled(checked: Checked, loaded: Loaded) -> Iterator[Problem]:
    """Notes about targets of numbers that float32 merges, or that a network reaches late."""
    reading, data_info = checked.reading, checked.data_info
    assert data_info is not None
    if checked.experiment.need("data").target_preprocess:
        return
    hint = "`target_preprocess: [standardize]` scales it for the loss; metrics and predictions keep its units"
    for name in numbers(data_info):
        values, exact = loaded.targets[name].values, loaded.targets[name].exact
        what = "the target" if name == TARGET else f"the target {name}"
        path = ("data", "target") if "target" in checked.experiment.need("data").model_fields_set else ("data",)
        before, after = (0, 0) if exact is None else (len(np.unique(exact)), len(np.unique(values)))
        if after < before:
            message = f"{what} has {before} distinct values, and float32 keeps {after} of them apart"
            yield reading.note("merged_targets", message, path, hint, at_key=True)
            continue
        rows = values[loaded.splits.train].astype(np.float64)
        mean, spread = rows.mean(), rows.std()
        if max(abs(mean), spread) > FAR or 0 < spread < NEAR:
            message = f"{what} has the mean {mean:.4g} and the standard deviation {spread:.4g}, far from 0 and 1"
            yield reading.note("unscaled_target", message, path, hint, at_key=True)
