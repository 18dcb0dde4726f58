"""Whether each trained weight is moved by one optimizer that can move it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dlrun.checks.reading import Reading
from dlrun.components.optimizers import SearchingOptimizer
from dlrun.errors import Problem
from dlrun.language.experiment import TrainSection, as_tuple
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.length import Length
from dlrun.plan.names import matches
from dlrun.plan.network import Plan
from dlrun.plan.optimizers import Moved, moved
from dlrun.plan.split_sizes import SplitSizes
from dlrun.plan.weights import acting
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
        alone = isinstance(groups[0].optimizer, SearchingOptimizer)
        hint = "remove `weights`" if alone else "add an optimizer without `weights` as the last one"
        hint += "; `model.freeze` names weights that do not move"
        yield reading.problem(f"no optimizer moves {_few(left)}", ("optimizer",), hint)


def check_searching(
    reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes | None
) -> Iterator[Problem]:
    """Hold a training with an optimizer that compares the loss at several weights to one loss, of the same rows."""
    optimizers = as_tuple(reading.sections.get("optimizer"))
    found = next((place for place, one in enumerate(optimizers) if isinstance(one, SearchingOptimizer)), None)
    if found is None:
        return
    kind = optimizers[found].kind
    if len(optimizers) > 1:
        message = f"{kind} moves all weights together, so it is the only optimizer"
        hint = "keep one optimizer; `model.freeze` names weights that do not move"
        yield reading.problem(message, ("optimizer", found), hint)
    rows = sizes.train if sizes is not None else 0
    is_read = "train" in reading.sections or "train" not in reading.written
    if rows and is_read and Length.of(train, rows).batch < rows:
        message = f"{kind} needs all {rows} training rows in each step, and `batch_size` is {train.batch_size}"
        hint = "write `train: {batch_size: full}`, or use an optimizer for batches, such as adam"
        yield reading.problem(message, ("train", "batch_size") if "train" in reading.written else ("optimizer",), hint)
    data = reading.sections.get("data")
    if data is not None and data.augment:
        message = f"{kind} compares the gradients of its steps, and `augment` changes the rows between them"
        hint = "remove `augment`, or use another optimizer, such as adam"
        yield reading.problem(message, ("data", "augment"), hint, at_key=True)
    for name in ("clip_grad_value", "clip_grad_norm"):
        if getattr(train, name) is not None:
            message = f"{kind} needs the gradient of the loss, and `{name}` changes it"
            hint = f"remove `{name}`; the line search finds how far a step may go"
            yield reading.problem(message, ("train", name), hint, at_key=True)
    yield from _constraints(reading, planned, kind)
    if reading.sections["model"].frozen_until is not None:
        message = f"{kind} moves the same weights in every step, and here more of them move after a time"
        hint = "write the names alone to keep the weights as they are, or use another optimizer, such as adam"
        yield reading.problem(message, ("model", "freeze", "until"), hint, at_key=True)


def _constraints(reading: Reading, planned: Plan, kind: str) -> Iterator[Problem]:
    """The constraints, of the section and of layers: they move weights after a step."""
    section = reading.sections.get("constraints", ())
    found = acting(planned, "constraints", section)
    owners = [owner for _, names, owner in found if not planned.frozen.issuperset(names)]
    message = f"{kind} compares the gradients of its steps, and a constraint moves the weights between them"
    hint = "a penalty in `regularizers` is a part of the loss; or use another optimizer, such as adam"
    if None in owners:
        yield reading.problem(message, ("constraints",), hint, at_key=True)
    for owner in owners:
        if owner is not None:
            yield Problem(message, owner.place, hint)


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
