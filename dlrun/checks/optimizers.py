"""Whether each trained weight is moved by one optimizer that can move it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dlrun.checks.reading import Reading
from dlrun.errors import Problem
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.names import matches
from dlrun.plan.network import Plan
from dlrun.plan.optimizers import Moved, moved
from dlrun.shapes import Shape, show

FEW = 3
"""How many weights an error names."""


def check_optimizers(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Hold each optimizer to weights that it names and can move, and each weight to an optimizer."""
    optimizer = reading.sections.get("optimizer")
    if optimizer is None or not planned.trainable:  # `check_freeze` says that there is nothing to train
        return
    groups, left = moved(planned, optimizer)
    trained = [name for name, _, _ in planned.weights() if name not in planned.frozen]
    layers = [step.name for step in planned.steps if step.weights]
    for group in groups:
        unknown = list(_unknown(reading, group, trained, layers, planned))
        yield from unknown
        if not group.weights and not unknown:
            message = f"{group.optimizer.kind} moves no weight: the optimizers before it move all that it names"
            hint = "the first optimizer whose `weights` name a weight moves it, so one without `weights` is the last"
            yield reading.problem(message, group.path, hint)
        unsuited = {name: shape for name, shape in group.weights.items() if not group.optimizer.suits(shape)}
        if unsuited:
            message = f"{group.optimizer.kind} moves {group.optimizer.takes}, not {_few(unsuited)}"
            hint = f"give it those that it takes: `optimizer: [{group.optimizer.kind}: {{weights: …}}, adam]`"
            yield reading.problem(message, group.path, hint)
    if left:
        hint = "add an optimizer without `weights` as the last one; `model.freeze` names weights that do not move"
        yield reading.problem(f"no optimizer moves {_few(left)}", ("optimizer",), hint)


def _unknown(reading: Reading, group: Moved, trained: list[str], layers: list[str], planned: Plan) -> Iterator[Problem]:
    """The patterns of an optimizer that name no trained weight."""
    for index, pattern in enumerate(group.optimizer.weights or ()):
        if any(matches(name, pattern) for name in trained):
            continue
        if any(matches(name, pattern) for name in planned.frozen):
            message = f"'{pattern}' names frozen weights alone, which no optimizer moves"
        else:
            message = f"no weight matches '{pattern}'{did_you_mean(pattern, layers, {})}"
        path = (*group.path, group.optimizer.kind, "weights", index)
        yield reading.problem(message, path, "`dlrun params` shows the names; `*` matches anything")


def _few(weights: Mapping[str, Shape]) -> str:
    named = [f"{name} {show(shape)}" for name, shape in weights.items()]
    return ", ".join(named[:FEW]) + (f" and {len(named) - FEW} more" if len(named) > FEW else "")
