"""Whether `train` fits the network and the number of rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from dlrun.checks.monitor import check_monitor
from dlrun.checks.reading import Reading
from dlrun.checks.schedules import check_schedules, schedules_of
from dlrun.components.schedules import FollowingSchedule
from dlrun.errors import Problem, SpecPath
from dlrun.language.durations import Duration
from dlrun.language.experiment import TrainSection
from dlrun.plan.length import Length, evaluation_batch
from dlrun.plan.network import Plan
from dlrun.plan.split_sizes import SplitSizes

LAUNCHERS = {
    "WORLD_SIZE": "torchrun",
    "OMPI_COMM_WORLD_SIZE": "mpirun",
    "PMI_SIZE": "mpiexec",
    "SLURM_STEP_NUM_TASKS": "srun with several tasks",
}
"""The variables in which a launcher says how many processes it started."""


def check_process() -> Iterator[Problem]:
    """Whether this process is alone: one of several, which a launcher started, would train and write the same again."""
    for name, launcher in LAUNCHERS.items():
        size = os.environ.get(name, "").strip()
        if size.isdecimal() and int(size) > 1:
            hint = f"start it by itself, without {launcher}; if no launcher did this, `unset {name}`"
            yield Problem(f"{name} is {size}: a run is trained by one process, not by several", hint=hint)
            return


def check_training(reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes) -> Iterator[Problem]:
    """All checks of how long, in what batches and how exactly to train."""
    if train.epochs is not None and train.steps is not None:
        message = "`epochs` and `steps` cannot be given together"
        yield reading.problem(message, ("train", "steps"), "keep one", at_key=True)
    if train.precision == "tf32" and train.device == "cpu":
        hint = "`precision: float32` computes on any device"
        yield reading.problem("only GPUs compute in tf32, and `device` is cpu", ("train", "precision"), hint)
    if train.accumulate > 1 and train.batch_size == "full":
        message = f"{train.accumulate} batches make a step, and `batch_size: full` is one batch of all rows"
        yield reading.problem(message, ("train", "accumulate"), "give `batch_size` a number of rows", at_key=True)
    yield from _check_early_stopping(reading, planned, train, sizes)
    if sizes.train < 1:
        return
    length = Length.of(train, sizes.train)
    yield from check_schedules(reading, planned, length, sizes)
    if train.refits:
        yield from _check_refit(reading, planned, train, sizes)
    average: Any = train.average
    if average is not None:
        yield from _check_start(reading, average.start(), average.kind, ("train", "average"), length)
    if train.early_stopping is not None:
        path = ("train", "early_stopping", "start_after")
        yield from _check_start(reading, train.early_stopping.start_after, "early stopping", path, length)
    yield from _check_evaluation_batches(reading, planned, train, sizes)
    yield from _check_training_batches(reading, planned, train, sizes.train, length.batch)


def _check_early_stopping(reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes) -> Iterator[Problem]:
    if train.early_stopping is not None:
        path = ("train", "early_stopping")
        yield from check_monitor(reading, planned, train.early_stopping.monitor, "early stopping", path, sizes)
    if train.best is not None:
        yield from check_monitor(reading, planned, train.best.monitor, "`best`", ("train", "best"), sizes)
    if train.best is not None and train.early_stopping is not None:
        message = "the `monitor` of early stopping decides which weights are the best"
        hint = "write `monitor` in `early_stopping`, and remove `best`"
        yield reading.problem(message, ("train", "best"), hint, at_key=True)


def _check_refit(reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes) -> Iterator[Problem]:
    """Refuse what a training without validation rows, of another number of rows, could not do."""
    at = ("train", "early_stopping", "then")
    if reading.sections["data"].split.folds is not None:
        hint = "remove one of the two: the folds say how good a training is, and a refit uses all rows for one network"
        yield reading.problem("a run of several folds has no refit", at, hint)
    for entry in schedules_of(reading, planned):
        if isinstance(entry.schedule, FollowingSchedule):
            message = f"{entry.schedule.kind} watches {entry.schedule.monitor}, and a refit has no validation rows"
            yield reading.problem(message, entry.path, "choose another schedule, or remove `then: refit`")
    rows = sizes.train + sizes.validation
    yield from _check_training_batches(reading, planned, train, rows, Length.of(train, rows).batch, " of the refit")


def _check_start(reading: Reading, start: Duration, whose: str, path: SpecPath, length: Length) -> Iterator[Problem]:
    """Hold the time at which something begins to one before the end of the training."""
    if start.in_steps(length.per_epoch) >= length.steps:
        message = f"{whose} begins after {start}, and the training has {_steps(length.steps)}"
        hint = f"an epoch has {_steps(length.per_epoch)}; train longer or begin earlier"
        yield reading.problem(message, path, hint)


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count > 1)}"


def _check_evaluation_batches(
    reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes
) -> Iterator[Problem]:
    """Refuse splits that leave one row to a layer without moving statistics, which needs more."""
    norm = next((step for step in planned.steps if step.least_rows(training=False) > 1), None)
    if norm is None:
        return
    batch = sizes.train if train.batch_size == "full" else train.batch_size
    for name, rows, size in (
        ("validation", sizes.validation, evaluation_batch(min(batch, sizes.train))),
        ("test", sizes.test, evaluation_batch(batch)),
    ):
        if rows % size == 1:
            message = f"{norm.kind} without moving statistics needs more than one row; the {name} split's "
            message += f"{rows} row{'s' * (rows > 1)} leave a last batch of 1"
            notes = ((f"this {norm.kind}", norm.place),) if norm.place else ()
            hint = f"choose another share for {name}, or set `track_running_stats: true`"
            yield Problem(message, reading.place(("data", "split")), hint, notes)


def _check_training_batches(
    reading: Reading, planned: Plan, train: TrainSection, rows: int, batch: int, whose: str = ""
) -> Iterator[Problem]:
    """Refuse batches of one row where a layer takes its statistics over the rows; `whose` says of which training."""
    moving = (step for step in planned.steps if not planned.is_still(step))
    norm = next((step for step in moving if step.least_rows(training=True) > 1), None)
    if norm is None or (batch > 1 and (rows % batch != 1 or train.drop_last)):
        return
    message = f"{norm.kind} needs more than one row a batch"
    if batch == 1:
        message += ", and `batch_size` is 1"
        hint = "a mean over one row is the row itself: use layer_norm, or larger batches"
    else:
        message += f"; {rows} rows{whose} in batches of {batch} leave a last batch of 1"
        hint = "set `drop_last: true`, or another batch_size"
    notes = ((f"this {norm.kind}", norm.place),) if norm.place else ()
    yield Problem(message, reading.place(("train", "batch_size")), hint, notes)
