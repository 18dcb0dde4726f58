"""Fit the preprocessing on the training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from dlrun.components.preprocess import FitError, FittedState, Map, TrainingRows
from dlrun.data.load import Loaded, only_classes
from dlrun.errors import Place, Problem, SpecError
from dlrun.language.experiment import TARGET
from dlrun.modules.frozen_map import FrozenMap, OnColumns, OutOfDomainError
from dlrun.plan.inputs import Input, PreprocessStep
from dlrun.plan.network import Plan

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FittedStep:
    """A preprocessing step after fitting."""

    step: Map
    """With the sizes that fitting decided."""
    state: FittedState
    """The numbers that it learned."""
    module: FrozenMap
    """The frozen module that applies it."""

    @classmethod
    def of(cls, step: Map, state: FittedState) -> FittedStep:
        """A step with what it learned."""
        settled = step.settled(state)
        return cls(settled, state, settled.build(state))

    @classmethod
    def planned(cls, planned: PreprocessStep, state: FittedState) -> FittedStep:
        """A planned step with what it learned."""
        found = cls.of(planned.step, state)
        return cls(found.step, state, on_columns(found.step, found.module, planned.columns, planned.width))


TargetChains = Mapping[str, Sequence[tuple[str, int, Map]]]
"""For each target its steps: the name of each, its index in the spec's list, and the step."""
Fitted = dict[str, FittedStep]
"""The fitted preprocessing, by the names that the plan gives the steps."""


def fit(inputs: Sequence[Input], loaded: Loaded) -> Fitted:
    """Fit the steps of every input on the training rows alone; each receives, in float64, the rows after
    those before.

    Raises:
        SpecError: the training rows do not allow a step.
    """
    fitted: Fitted = {}
    for entry in inputs:
        if entry.preprocess:
            rows = TrainingRows(loaded.features[entry.name], loaded.splits.train)
            fitted |= _fit_chain(entry.preprocess, rows, loaded)
    return fitted


def fit_targets(chains: TargetChains, loaded: Loaded, place: Callable[[int], Place]) -> Fitted:
    """Fit the steps of every target on its training rows, in float64.

    Raises:
        SpecError: the training rows do not allow a step.
    """
    fitted: Fitted = {}
    for target, chain in chains.items():
        values, train = loaded.targets[target].values, loaded.splits.train
        rows = TrainingRows(values, train)
        for name, index, step in chain:
            try:
                fitted[name] = found = FittedStep.of(step, step.fit(rows, values[train], None))
            except FitError as error:
                raise SpecError([Problem(error.message, place(index), error.hint)]) from None
            except OutOfDomainError as error:
                message, hint = refused_target(target, error, _source_row(rows, error))
                raise SpecError([Problem(message, place(index), hint)]) from None
            rows = rows.after(found.module)
    return fitted


TargetSteps = dict[str, list[FrozenMap]]
"""For each target that has steps the fitted ones, in order."""


def scales(chains: TargetChains, fitted: Fitted) -> TargetSteps:
    """For each target its fitted steps in order."""
    return {target: [fitted[name].module for name, _, _ in chain] for target, chain in chains.items()}


def on_columns(step: Map, module: FrozenMap, columns: Sequence[int] | None, width: int) -> FrozenMap:
    """The module of a step that takes some of the numbers of a row, by their places, or all of them."""
    return module if columns is None else OnColumns(module, columns, width, step.elementwise)


def refused(planned: PreprocessStep, error: OutOfDomainError, row: int) -> tuple[str, str]:
    """The message about a number of a row that a step is not defined for, and a way out.

    Args:
        planned: the step.
        error: what its module raised.
        row: the row in the source.
    """
    where = f"in the column '{planned.names[error.number]}'" if planned.names else f"as its number {error.number + 1}"
    message = f"row {row} holds {error.value:g} {where}; {error.message}"
    return message, "write a `clip` with a `min` before the step, or leave the column out of its `columns`"


def refused_target(target: str, error: OutOfDomainError, row: int) -> tuple[str, str]:
    """The same about a number of a target."""
    what = "target" if target == TARGET else f"target {target}"
    message = f"the {what} of row {row} holds {error.value:g}; {error.message}"
    return message, "remove the step; `robust` and `quantile` take any numbers"


def _source_row(rows: TrainingRows, error: OutOfDomainError) -> int:
    return error.row if rows.chosen is None else int(rows.chosen[error.row])


def _fit_chain(steps: Sequence[PreprocessStep], rows: TrainingRows, loaded: Loaded) -> Fitted:
    target, classes = _target_of(loaded)
    fitted: Fitted = {}
    for planned in steps:
        try:
            taken = rows if planned.columns is None else rows.of(planned.columns)
            state = planned.step.fit(taken, target, classes)
        except FitError as error:
            raise SpecError([Problem(error.message, planned.place, error.hint)]) from None
        except OutOfDomainError as error:
            if planned.columns is not None:
                error.number = planned.columns[error.number]
            message, hint = refused(planned, error, _source_row(rows, error))
            raise SpecError([Problem(message, planned.place, hint)]) from None
        fitted[planned.name] = found = FittedStep.planned(planned, state)
        rows = rows.after(found.module)
    return fitted


def _target_of(loaded: Loaded) -> tuple[Array, int | None]:
    """The training rows' classes and how many there are; the first target's numbers where there are no classes."""
    train, classed = loaded.splits.train, only_classes(loaded.targets)
    if classed is not None and classed.classes is not None and classed.labels is not None:
        return classed.classes[train].astype(np.int64), len(classed.labels)
    values = [answers.values for answers in loaded.targets.values()]
    return (values[0][train] if values else np.empty((len(train), 0))), None


def modules_by_input(plan: Plan, fitted: Fitted) -> dict[str, list[tuple[str, nn.Module]]]:
    """For each input of the network its fitted steps in order, each a module with its name."""
    return {entry.name: [(p.name, fitted[p.name].module) for p in entry.preprocess] for entry in plan.inputs}
