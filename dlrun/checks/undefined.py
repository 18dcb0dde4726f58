"""Whether each metric has a value on each split: a class may have no row there, or a number may always be the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dlrun.checks.reading import Reading
from dlrun.checks.schedules import schedules_of
from dlrun.components.schedules import FollowingSchedule
from dlrun.errors import Problem, SpecPath
from dlrun.language.experiment import INPUT, TARGET, TrainSection
from dlrun.plan.answers import Answer
from dlrun.plan.metrics import Watched
from dlrun.plan.network import Plan
from dlrun.plan.split_sizes import SPLITS, ClassCounts, Sameness

STRATIFY = "`data.split.stratify: true` gives every split rows of each class"
ROWS = "add rows of the class, or monitor another metric"
OTHER = "monitor another metric, such as the loss, or change the split"


def check_defined(
    reading: Reading,
    planned: Plan,
    metrics: Sequence[Watched],
    counts: ClassCounts,
    sameness: Mapping[Answer, Sameness],
) -> Iterator[Problem]:
    """A note about each metric without a value on a split; an error where one watches it to decide something.

    Args:
        reading: the spec.
        planned: its network.
        metrics: all metrics of the spec.
        counts: the rows of each class, for each target of classes, as far as they are known.
        sameness: what is the same in all rows of a split, for each answer of numbers, as far as that is known.
    """
    watching = list(_watching(reading, planned))
    for index, one in enumerate(metrics):
        classes = counts.get(one.answer.name, {}) if one.answer.of_data else {}
        same = sameness.get(one.answer)
        for number, split in enumerate(SPLITS):
            rows = {label: of_splits[number] for label, of_splits in classes.items()}
            found = {name: f"{split} has no row of {why} there" for name, why in _lacking(one, rows)}
            hint = STRATIFY if _suffices(classes) else ROWS
            if not found and one.metric.needs_spread and same and same.rows[number] and same.constant[number]:
                message, hint = f"{_sameness(one.answer, same, number)}, so {one.name} is not defined there", OTHER
                found = dict.fromkeys(one.names, message)
            undefined = {f"{split}/{name}": message for name, message in found.items()}
            wrong = [(monitor, path) for monitor, path in watching if monitor in undefined]
            for monitor, path in wrong:
                yield reading.problem(undefined[monitor], (*path, "monitor"), hint)
            if undefined and not wrong:
                yield reading.note("undefined_metric", next(iter(undefined.values())), ("metrics", index), hint)


def _watching(reading: Reading, planned: Plan) -> Iterator[tuple[str, SpecPath]]:
    """Each metric that decides something, and the path of what watches it."""
    train = reading.sections.get("train", TrainSection())
    if train.early_stopping is not None:
        yield train.early_stopping.monitor, ("train", "early_stopping")
    if train.best is not None:
        yield train.best.monitor, ("train", "best")
    for entry in schedules_of(reading, planned):
        if isinstance(entry.schedule, FollowingSchedule):
            yield entry.schedule.monitor, entry.path


def _lacking(one: Watched, rows: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Each value of a metric for which a split lacks a class: that class, and what it makes of the value."""
    metric, there = one.metric, [label for label in rows if rows[label]]
    if not there:
        return
    for name, label in zip(one.names, one.labels or (one.label,) * len(one.names), strict=True):
        lacking = [each for each in ([label] if label else rows) if not rows.get(each, 1)]
        if metric.needs_every_class and lacking:
            more = f" and {len(lacking) - 1} more classes" if len(lacking) > 1 else ""
            yield name, f"{lacking[0]}{more}, so {name} is not defined"
        elif (metric.needs_other_classes and there == [label]) or (metric.needs_two_classes and len(there) == 1):
            yield name, f"a class besides {there[0]}, so {name} is not defined"
        elif metric.needs_its_class and label and lacking:
            yield name, f"{label}, so {name} is 0 or not defined"


def _suffices(classes: Mapping[str, Sequence[int]]) -> bool:
    """Whether every class has a row for each split that has any."""
    splits = sum(any(rows) for rows in zip(*classes.values(), strict=True))
    return all(sum(rows) >= splits for rows in classes.values())


def _sameness(answer: Answer, same: Sameness, number: int) -> str:
    if same.rows[number] == 1:
        return f"{SPLITS[number]} has one row"
    what, usual = ("the target", TARGET) if answer.of_data else ("the input", INPUT)
    what += "" if answer.name == usual else f" {answer.name}"
    what = f"a number of {what}" if same.several else what
    return f"{what} is the same in all {same.rows[number]} rows of {SPLITS[number]}"
