"""The numbers of a spec that schedules change: their names, which schedule changes which, and their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.components.layers import WeightedLayer
from dlrun.components.optimizers import LR
from dlrun.components.schedules import Schedule
from dlrun.errors import SpecPath
from dlrun.language.component import Component
from dlrun.language.experiment import as_tuple
from dlrun.plan.length import Length
from dlrun.plan.names import is_named
from dlrun.plan.network import Plan
from dlrun.plan.optimizers import Moved
from dlrun.plan.outputs import called


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a schedule may change."""

    name: str
    """What a schedule calls it: `momentum`, the setting of an optimizer, or `loss.coefficient`, that of another."""
    label: str
    """Its name in the journal: of several optimizers with the number of its own, `momentum/2`."""
    owner: Component
    """The component that has it."""
    setting: str
    """Its name among the numbers of its owner."""
    group: int | None = None
    """The place of the optimizer that has it; None where that is another component."""

    @property
    def value(self) -> float:
        """The number as it is written."""
        return self.owner.changeable()[self.setting]


@dataclass(frozen=True, slots=True)
class Entry:
    """A schedule with the numbers that it changes."""

    schedule: Schedule
    path: SpecPath
    """Its place in the spec, with its kind."""
    known: tuple[Number, ...]
    """The numbers that it could change."""

    @property
    def numbers(self) -> tuple[Number, ...]:
        """Those that it names."""
        return tuple(number for number in self.known if any(is_named(number.name, of) for of in self.schedule.of))


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A number and the schedule that changes it."""

    number: Number
    schedule: Schedule
    path: SpecPath
    """The place of the schedule in the spec, with its kind."""


def entries(
    plan: Plan, groups: Sequence[Moved], schedule: Any, losses: Sequence[Any], regularizers: Sequence[Any]
) -> list[Entry]:
    """All schedules: those of the spec, which leave out optimizers with schedules of their own, then those.

    Args:
        plan: the network.
        groups: the optimizers.
        schedule: the section of the spec: one schedule, several or None.
        losses: those of the spec.
        regularizers: those of the section.
    """
    of_groups = [tuple(_of_optimizer(place, len(groups), group)) for place, group in enumerate(groups)]
    shared = [known for known, group in zip(of_groups, groups, strict=True) if group.optimizer.schedule is None]
    others = [*_of_losses(losses, plan), *_of_regularizers("", regularizers), *_of_layers(plan)]
    known = (*(number for numbers in shared for number in numbers), *others)
    found = [Entry(one, path, known) for one, path in _each(schedule, "schedule")]
    for known, group in zip(of_groups, groups, strict=True):
        at = (*group.path, group.optimizer.kind, "schedule")
        found += [Entry(one, path, known) for one, path in _each(group.optimizer.schedule, *at)]
    return found


def _each(written: Any, *at: str | int) -> Iterator[tuple[Schedule, SpecPath]]:
    for index, one in enumerate(as_tuple(written)):
        place = (index,) if isinstance(written, tuple) else ()
        yield one, (*at, *place, one.kind)


def _of_optimizer(place: int, count: int, group: Moved) -> Iterator[Number]:
    for name in group.optimizer.changeable():
        yield Number(name, name if count == 1 else f"{name}/{place + 1}", group.optimizer, name, place)


def _of_losses(losses: Sequence[Any], plan: Plan) -> Iterator[Number]:
    """The coefficients of losses; several are called as their values in the journal."""
    for loss in losses:
        name = f"loss.{called(loss, loss.output or next(iter(plan.outputs)), plan)}" if len(losses) > 1 else "loss"
        yield from _named(name, loss)


def _of_regularizers(owner: str, regularizers: Sequence[Any]) -> Iterator[Number]:
    """The coefficients of the section's regularizers, or a layer's own; the second of a kind is `l2_2`."""
    counts: Counter[str] = Counter()
    for one in regularizers:
        counts[one.kind] += 1
        name = one.kind if counts[one.kind] == 1 else f"{one.kind}_{counts[one.kind]}"
        yield from _named(f"{owner}regularizers.{name}", one)


def _of_layers(plan: Plan) -> Iterator[Number]:
    for step in plan.layers:
        if step.layer is not None and not step.shared:
            yield from _named(step.name, step.layer)
            if isinstance(step.layer, WeightedLayer):
                yield from _of_regularizers(f"{step.name}.", step.layer.regularizers)


def _named(owner: str, component: Component) -> Iterator[Number]:
    for setting in component.changeable():
        yield Number(f"{owner}.{setting}", f"{owner}.{setting}", component, setting)


def scheduled(found: Sequence[Entry]) -> list[Scheduled]:
    """The numbers that change, each with its schedule, in the order of the schedules."""
    return [Scheduled(number, entry.schedule, entry.path) for entry in found for number in entry.numbers]


@dataclass(frozen=True, slots=True)
class Curve:
    """A number over the whole training."""

    name: str
    values: tuple[float, ...]
    """The value in each step."""


def value_at(value: float, schedule: Schedule | None, step: int, length: Length) -> float:
    """A number in the step after `step` steps, without what a metric changes."""
    return value if schedule is None else value * schedule.at(value, step, length.steps, length.per_epoch)


def curve(name: str, value: float, schedule: Schedule | None, length: Length) -> Curve:
    """The values of all steps."""
    return Curve(name, tuple(value_at(value, schedule, step, length) for step in range(length.steps)))


def curves(groups: Sequence[Moved], changing: Sequence[Scheduled], length: Length) -> dict[str, list[Curve]]:
    """What is drawn: the learning rate of each optimizer, then each other number that changes, by its name."""
    rates = {one.number.group: one.schedule for one in changing if one.number.name == LR}
    found = {LR: [curve(group.name, group.optimizer.lr, rates.get(n), length) for n, group in enumerate(groups)]}
    for one in changing:
        if one.number.name != LR:
            name = one.number.name if one.number.group is None else groups[one.number.group].name
            found.setdefault(one.number.name, []).append(curve(name, one.number.value, one.schedule, length))
    return found
