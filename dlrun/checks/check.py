"""Everything that can be checked in a spec without training: reading, planning, and the checks across sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlrun.checks.baselines import check_baselines
from dlrun.checks.classes import split_targets
from dlrun.checks.data import (
    check_augment,
    check_indices,
    check_notes,
    check_split,
    check_target_preprocess,
    split_as_asked,
)
from dlrun.checks.decisions import check_decisions
from dlrun.checks.gradients import stuck
from dlrun.checks.memory import check_memory
from dlrun.checks.model import (
    check_constraints,
    check_freeze,
    check_init_entries,
    check_initializers,
    check_penalties,
    check_unfreezing,
)
from dlrun.checks.notes import check_planned_notes
from dlrun.checks.objective import check_objective
from dlrun.checks.optimizers import check_optimizers, check_searching
from dlrun.checks.reading import Reading, read_spec
from dlrun.checks.training import check_process, check_training
from dlrun.checks.undefined import check_defined
from dlrun.checks.weights_file import settle_weights, start_weights
from dlrun.errors import Problem, SpecError, distinct
from dlrun.language.experiment import Experiment, TrainSection, as_tuple
from dlrun.language.suggestions import few_suggestions
from dlrun.plan.answers import Answer
from dlrun.plan.data_info import DataInfo
from dlrun.plan.length import Length
from dlrun.plan.memory import Memory, needed_memory
from dlrun.plan.metrics import Watched
from dlrun.plan.network import Plan, plan
from dlrun.plan.objective import objective
from dlrun.plan.optimizers import moved
from dlrun.plan.outputs import ObjectiveError
from dlrun.plan.split_sizes import ClassCounts, Sameness, SplitSizes, split_sizes
from dlrun.plan.trunk import trunk

if TYPE_CHECKING:
    from dlrun.plan.start_weights import Start

SHAPING = ("model", "data", "blocks", "vars")
"""The sections that a network's shapes depend on."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A spec without problems, with all that follows from it."""

    reading: Reading
    experiment: Experiment
    plan: Plan
    data_info: DataInfo | None
    sizes: SplitSizes | None
    memory: Memory
    classes: ClassCounts
    """How many rows of each class every split has, where that is known without loading."""
    notes: tuple[Problem, ...] = ()
    """What can be meant but rarely is, without the notes that the spec allows."""
    strict: bool = False
    """Whether a note that only the loaded data gives is an error too."""
    start: Start | None = None
    """The weights that the network starts from; None where it starts without a file."""


@few_suggestions()
def check(
    file: Path,
    overrides: Sequence[str] = (),
    training: bool = False,
    strict: bool = False,
    from_checkpoint: bool = False,
    runs: Path = Path("runs"),
) -> Checked:
    """Read, plan and check a spec.

    With `training`, it must also have all that a run needs; with `strict`, a note is an error.

    A training that continues `from_checkpoint` does not need the file that the weights started from. A run whose
    weights the spec names is looked for in `runs`.

    Raises:
        SpecError: with every problem that could be found.
    """
    reading = read_spec(file, overrides, whole=training)
    reading.report(reading.data.problem)
    reading.problems += settle_weights(reading, runs)
    sizes = _sizes(reading)
    sizes, unsplit = _split(reading, sizes)
    reading.problems += unsplit
    impossible = any(not problem.note for problem in unsplit)
    classes, sameness, rare = ({}, {}, []) if impossible else split_targets(reading)
    reading.problems += rare
    reading.problems += check_target_preprocess(reading)
    if reading.data.info is not None:
        reading.problems += check_notes(reading, reading.data.info)
    planned = memory = start = None
    if _may_plan(reading):
        try:
            planned = _plan(reading, sizes)
        except SpecError as error:
            reading.problems += error.problems
        else:
            memory = _memory(reading, planned, sizes)
            reading.problems += _check_planned(reading, planned, sizes, memory)
            reading.problems += _undefined(reading, planned, classes, sameness)
            if not from_checkpoint:
                try:
                    start = start_weights(reading, planned)
                except SpecError as error:
                    reading.problems += error.problems
    if training and "data" not in reading.written and not reading.errors:
        hint = "add `data`, `loss` and `optimizer`; `dlrun new FILE` writes an example"
        reading.problems.append(Problem("there is no `data` to train on", reading.document.root.place, hint))
    if training:
        reading.problems += check_process()
    problems = reading.unsilenced(reading.problems)
    notes = tuple(problem for problem in problems if problem.note)
    if len(notes) < len(problems) or (strict and notes):
        raise SpecError(sorted(problems, key=lambda problem: bool(problem.note)))
    assert planned is not None and memory is not None
    return Checked(
        reading, reading.experiment, planned, reading.data.info, sizes, memory, classes, distinct(notes), strict, start
    )


def _undefined(
    reading: Reading, planned: Plan, classes: ClassCounts, sameness: Mapping[Answer, Sameness]
) -> Iterator[Problem]:
    """The metrics without a value on a split, as far as the description of the data shows them."""
    losses, metrics = as_tuple(reading.sections.get("loss")), reading.sections.get("metrics", ())
    if reading.data.info is None or not losses:
        return
    try:
        _, found = objective(losses, metrics, planned, reading.data.info)
    except ObjectiveError:  # reported by check_objective
        return
    yield from check_defined(reading, planned, found, classes, sameness)


def check_settled(checked: Checked, planned: Plan) -> None:
    """Check all that depends on the network again, now that the preprocessing has its sizes.

    Raises:
        SpecError: with every problem that shows only now.
    """
    reading = checked.reading
    memory = _memory(reading, planned, checked.sizes)
    found = reading.unsilenced(list(_check_planned(reading, planned, checked.sizes, memory)))
    if problems := [problem for problem in found if checked.strict or not problem.note]:
        raise SpecError(problems)


def check_model(file: Path, overrides: Sequence[str] = ()) -> Plan:
    """Plan a spec's network; the rest of the spec does not matter unless the network's sizes depend on it.

    Raises:
        SpecError: with every problem of the model, and of the data where sizes come from it.
    """
    reading = read_spec(file, overrides)
    problems = [problem for problem in reading.problems if _is_about_shapes(problem)]
    if problems or "model" not in reading.sections:
        raise SpecError(problems or reading.problems)
    model = reading.sections["model"]
    if "data" in reading.written and reading.data.info is None:
        if model.input is None and model.inputs is None:
            reading.report(reading.data.problem)
            raise SpecError(reading.problems)
        return plan(model, reading.tree)  # the data cannot be read, and the model has its own input shapes
    sizes, problems = _split(reading, _sizes(reading))
    if problems := [problem for problem in problems if not problem.note]:
        raise SpecError(problems)
    return _plan(reading, sizes)


def _is_about_shapes(problem: Problem) -> bool:
    """Whether a problem is about a section that a network's shapes depend on, or about the file as a whole."""
    if problem.place is None:
        return True
    return bool(problem.place.path) and problem.place.path[0] in SHAPING


def _may_plan(reading: Reading) -> bool:
    """Whether enough is right to work shapes out: a problem elsewhere must not hide one here."""
    if "model" not in reading.sections:
        return False
    return "data" not in reading.written or reading.data.info is not None


def _sizes(reading: Reading) -> SplitSizes | None:
    data, data_info = reading.sections.get("data"), reading.data.info
    if data is None or data_info is None:
        return None
    own = {name: len(rows) for name, rows in data_info.table.own_splits.items()}
    return split_sizes(data_info.rows, data.split, own)


def _split(reading: Reading, sizes: SplitSizes | None) -> tuple[SplitSizes | None, list[Problem]]:
    """How many rows each split has, and the problems with it."""
    problems = list(check_split(reading, sizes))
    if problems or sizes is None:
        return sizes, problems
    return split_as_asked(reading, sizes.in_training(reading.sections["data"].split))


def _plan(reading: Reading, sizes: SplitSizes | None) -> Plan:
    data = reading.sections.get("data")
    steps = data.preprocess if data else ()
    return plan(reading.sections["model"], reading.tree, reading.data.info, steps, sizes.train if sizes else 0)


def _memory(reading: Reading, planned: Plan, sizes: SplitSizes | None) -> Memory:
    train = reading.sections.get("train", TrainSection())
    groups, _ = moved(planned, reading.sections.get("optimizer"))
    watched: list[Watched] = []
    if reading.data.info is not None:
        losses, metrics = as_tuple(reading.sections.get("loss")), reading.sections.get("metrics", ())
        with suppress(ObjectiveError):  # `check_objective` says what is wrong
            _, watched = objective(losses, metrics, planned, reading.data.info)
    data = reading.sections.get("data")
    found = trunk(planned, data, train, sizes, "cpu") if data and sizes else None
    return needed_memory(
        planned, groups, train, reading.data.info, sizes, watched, found.row_bytes if found is not None else 0
    )


def _check_planned(reading: Reading, planned: Plan, sizes: SplitSizes | None, memory: Memory) -> Iterator[Problem]:
    """Problems of sections that only show once the network is planned."""
    train = reading.sections.get("train", TrainSection())
    yield from check_objective(reading, planned)
    yield from check_baselines(reading, planned)
    yield from check_decisions(reading, planned, train, sizes)
    yield from check_augment(reading, planned)
    yield from check_indices(reading, planned)
    yield from check_freeze(reading, planned)
    if {"data", "optimizer"} & reading.written:
        yield from stuck(planned)
    yield from check_penalties(reading, planned)
    yield from check_constraints(reading, planned)
    yield from check_initializers(planned)
    yield from check_init_entries(reading, planned)
    yield from check_optimizers(reading, planned)
    yield from check_searching(reading, planned, train, sizes)
    if sizes is not None:
        yield from check_training(reading, planned, train, sizes)
        if sizes.train > 0:
            yield from check_unfreezing(reading, planned, Length.of(train, sizes.train))
    yield from check_planned_notes(reading, planned, train, sizes)
    yield from check_memory(reading, planned, train, memory)
