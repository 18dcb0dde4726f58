"""Whether each schedule changes numbers that there are, each number once, to values that their settings allow."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from pydantic import ValidationError

from dlrun.checks.monitor import check_monitor
from dlrun.checks.reading import Reading
from dlrun.components.optimizers import LR
from dlrun.components.schedules import FollowingSchedule, Schedule
from dlrun.errors import Problem, SpecPath
from dlrun.language.component import LARGEST
from dlrun.language.experiment import as_tuple
from dlrun.language.messages import setting_problems
from dlrun.language.suggestions import did_you_mean
from dlrun.plan.length import Length
from dlrun.plan.names import is_named
from dlrun.plan.network import Plan
from dlrun.plan.optimizers import moved
from dlrun.plan.schedules import Entry, Scheduled, entries, scheduled, value_at
from dlrun.plan.split_sizes import SplitSizes

CHOICE = 12
"""The most numbers that a hint names."""
SAMPLES = 1000
"""The most steps whose values are held to what a setting allows."""


def check_schedules(reading: Reading, planned: Plan, length: Length, sizes: SplitSizes) -> Iterator[Problem]:
    """Hold each schedule to numbers, to the length of the training, and to metrics that there are."""
    sections = reading.sections
    groups, _ = moved(planned, sections.get("optimizer"))
    found = schedules_of(reading, planned)
    # Which numbers there are is not known before the sections that have them are right.
    owners = {"optimizer", "loss", *({"regularizers"} & reading.written)}
    settings = {name for group in groups for name in group.optimizer.changeable()}
    for entry in found:
        unknown = list(_unknown(reading, entry, settings)) if owners <= sections.keys() else []
        yield from unknown
        if unknown:
            continue
        yield from _check_parts(reading, entry.schedule, entry.path, length)
        if isinstance(entry.schedule, FollowingSchedule):
            yield from check_monitor(reading, planned, entry.schedule.monitor, entry.schedule.kind, entry.path, sizes)
    first: dict[str, Scheduled] = {}
    for one in scheduled(found):
        other = first.setdefault(one.number.label, one)
        if other is not one:
            message = f"two schedules change {one.number.label}"
            places = (("the first one", reading.place(other.path[:-1])),)
            yield Problem(message, reading.place(one.path[:-1]), "`of` says which numbers a schedule changes", places)
        else:
            yield from _check_values(reading, one, length)


def schedules_of(reading: Reading, planned: Plan) -> list[Entry]:
    """All schedules of a spec, with the numbers that each changes."""
    sections = reading.sections
    groups, _ = moved(planned, sections.get("optimizer"))
    losses, regularizers = as_tuple(sections.get("loss")), sections.get("regularizers", ())
    return entries(planned, groups, sections.get("schedule"), losses, regularizers)


def _unknown(reading: Reading, entry: Entry, settings: Collection[str]) -> Iterator[Problem]:
    """The names and patterns of a schedule that name no number; `settings` are the numbers of all optimizers."""
    names = list(dict.fromkeys(number.name for number in entry.known))
    for index, of in enumerate(entry.schedule.of):
        if any(is_named(name, of) for name in names):
            continue
        if entry.path[0] == "schedule" and any(is_named(name, of) for name in settings):
            message = f"no optimizer uses this schedule: each that has '{of}' has a `schedule` of its own"
            yield reading.problem(message, entry.path[:1], "remove one of them", at_key=True)
            continue
        few = ", ".join(names[:CHOICE]) + (", …" if len(names) > CHOICE else "")
        message = f"there is no number '{of}' that a schedule can change{did_you_mean(of, names, {})}"
        written = reading.tree.value_at((*entry.path, "of"))
        place = (*entry.path, "of", index) if isinstance(written, list | tuple) else (*entry.path, "of")
        yield reading.problem(message, place, f"there are {few}")


def _check_parts(reading: Reading, schedule: Schedule, path: SpecPath, length: Length) -> Iterator[Problem]:
    """Hold a schedule's parts of a fixed length to less than the training."""
    if schedule.needed_steps(length.per_epoch) < length.steps:
        return
    steps = f"{length.steps} step{'s' * (length.steps > 1)}"
    hint = f"an epoch has {length.per_epoch} step{'s' * (length.per_epoch > 1)}; train longer or "
    if schedule.warmup.in_steps(length.per_epoch) >= length.steps:
        message = f"the warmup, {schedule.warmup}, takes all of the training, {steps}"
        yield reading.problem(message, (*path, "warmup"), hint + "warm up less")
    else:
        message = f"the parts of {schedule.kind} take all of the training, {steps}, or more"
        yield reading.problem(message, path, hint + "make them shorter")


def _check_values(reading: Reading, one: Scheduled, length: Length) -> Iterator[Problem]:
    """Refuse a number that is 0, and one that grows beyond what its setting or float32 allows."""
    number, at = one.number, one.path[:-1]
    what = "the learning rate" if number.name == LR else number.label
    if not number.value:
        hint = f"write {number.setting} above 0 in {number.owner.kind}"
        yield reading.problem(f"{what} is 0, and a schedule multiplies it, so it stays 0", at, hint)
        return
    steps = sorted({*range(0, length.steps, math.ceil(length.steps / SAMPLES)), length.steps})
    try:
        values = [value_at(number.value, one.schedule, step, length) for step in steps]
    except OverflowError:
        values = [math.inf]
    if not max(values) <= LARGEST:
        epochs = length.steps / length.per_epoch
        message = f"{what} grows beyond float32, whose largest number is {LARGEST:.3g}, in {epochs:g} epochs"
        yield reading.problem(message, at, "choose a schedule that grows less")
        return
    for value in dict.fromkeys((max(values), min(values))):
        said = _refused(one, value)
        if value and said:
            message = f"the schedule takes {what} from {number.value:g} to {value:g}: {said}"
            yield reading.problem(message, at, "a schedule multiplies the number that is written")
            return


def _refused(one: Scheduled, value: float) -> str:
    """Why the owner of a number does not take a value; '' if it does."""
    owner = one.number.owner.with_numbers({one.number.setting: value})
    fields = type(owner).model_fields
    try:
        type(owner).read({field.alias or name: getattr(owner, name) for name, field in fields.items()})
    except ValidationError as error:
        return setting_problems(error)[0].message
    return ""
