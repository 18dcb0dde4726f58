"""One run of several folds: each fold is a run of its own in a folder of this one, trained as if it were alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dlrun.checks.check import Checked
from dlrun.errors import CompleteError, RunError
from dlrun.language.resolved import flattened
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.runs.info import Record, RunInfo, Status, Tracking
from dlrun.runs.journal import TEST, Journal, Tail, read_journal
from dlrun.runs.lock import lock
from dlrun.runs.run_json import RUNNING, about, read_run
from dlrun.training.lifecycle.describe import describe, now
from dlrun.training.lifecycle.resume import resume
from dlrun.training.lifecycle.run import DELIVERY, DELIVERY_WHEN_STOPPED, Outcome, RunWatcher, run
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.training.signals import Terminated
from dlrun.training.state import TrainingState

STD = "_std"
"""What the name of a metric ends in that is the standard deviation of another over the folds."""
OF_ONE = ("split.hash",)
"""Tags that say something of one fold alone."""


class FoldsWatcher(Protocol):
    """Is called as the folds go on."""

    def fold(self, number: int, checked: Checked) -> RunWatcher:
        """A fold begins or is resumed; returns what watches it."""
        ...

    def trained(self, number: int, outcome: Outcome | None) -> None:
        """A fold is complete; it has no outcome where it was complete before."""
        ...


def run_folds(
    checked: Checked,
    one_of: Callable[[int, Path | None], Checked],
    watcher: FoldsWatcher,
    runs: Path,
    open_tracking: Callable[[], Tracking],
    store: str | None,
    mlflow_experiment: str,
    folder: Path | None = None,
    longer: bool = False,
) -> Outcome:
    """Train every fold, each as a run of its own; then write the mean and the standard deviation of their tests.

    Args:
        checked: the spec of all folds.
        one_of: checks the spec of a fold; it takes the fold's number, and its folder where it has begun.
        watcher: is called as the folds go on.
        runs: the folder for a new run's folder.
        open_tracking: the tracking for one run.
        store: the tracker's store, which run.json keeps.
        mlflow_experiment: the experiment there.
        folder: the run's folder, where it is resumed: it goes on at the fold that was interrupted.
        longer: whether folds that are complete are to be trained longer.

    Raises:
        SpecError: the data is not what the spec says.
        RunError: the training of a fold failed.
        KeyboardInterrupt, Terminated: a signal stopped it; it can be resumed.
    """
    folds = checked.experiment.need("data").split.folds
    if checked.data_info is not None:
        checked.data_info.forget()  # each fold reads the rows itself
    outcome = Outcome(folder or Path(), "FAILED", {}, "", TrainingState(), "", "")
    with contextlib.ExitStack() as stack:
        parent = None if folder is None else _again(folder, stack)

        def within(setup: TrainingSetup) -> Path:
            nonlocal parent
            if parent is None:
                parent = _begin(checked, setup, runs, store, mlflow_experiment, stack)
            place = run_folder.fold_of(parent.folder, number)
            if not place.is_dir():  # otherwise a kill left it, before there was a run in it
                durable.make_folder(place, inner=True)
            return place

        try:
            for number in range(1, folds + 1):
                known = _begun(parent, number)
                if known is not None and read_run(known).status == "FINISHED" and not longer:
                    watcher.trained(number, None)
                    continue
                one = one_of(number, known)
                shown = watcher.fold(number, one)
                found = None
                with open_tracking() as tracking:
                    if known is None:
                        found = run(one, shown, runs, tracking, store, mlflow_experiment, within)
                    else:
                        with contextlib.suppress(CompleteError):
                            found = resume(known, one, shown, tracking)
                if found is not None and found.undelivered:
                    shown.notice(f"the tracker: {found.undelivered}")
                watcher.trained(number, found)
            assert parent is not None
            outcome.test = summary(tests_of(parent.folder))
            _record(parent, outcome.test)
            outcome.status, outcome.test_of = "FINISHED", f"the mean of {folds} folds"
        except (KeyboardInterrupt, Terminated):
            outcome.status = "KILLED"
            raise
        finally:
            if parent is not None:
                outcome.folder = parent.folder
                _end(parent, outcome, open_tracking)
    return outcome


def tests_of(folder: Path) -> list[dict[str, float]]:
    """The test metrics of each fold of a run that is complete, in order, without their prefix.

    Raises:
        RunError: a journal cannot be read.
    """
    found = []
    for place in run_folder.folds_of(folder):
        metrics = [record.metrics for record in read_journal(place / run_folder.JOURNAL)]
        tests = [one for one in metrics if any(name.startswith(TEST) for name in one)]
        found += [{name.removeprefix(TEST): value for name, value in one.items()} for one in tests[-1:]]
    return found


def summary(tests: Sequence[dict[str, float]]) -> dict[str, float]:
    """For each metric the mean over the folds, and the standard deviation with n - 1 by its name and `_std`."""
    found: dict[str, float] = {}
    for name in tests[0]:
        values = [test[name] for test in tests]
        mean = _sum(values) / len(values)
        found[name] = mean
        found[name + STD] = math.sqrt(_sum([(value - mean) ** 2 for value in values]) / (len(values) - 1))
    return found


def _sum(values: Sequence[float]) -> float:
    """The sum, rounded once; nan where a value is not finite."""
    return math.fsum(values) if all(map(math.isfinite, values)) else math.nan


def _begun(parent: RunInfo | None, number: int) -> Path | None:
    """The folder of a fold that has begun."""
    place = None if parent is None else run_folder.fold_of(parent.folder, number)
    return place if place is not None and (place / run_folder.STARTED).is_file() else None


def _begin(
    checked: Checked,
    setup: TrainingSetup,
    runs: Path,
    store: str | None,
    mlflow_experiment: str,
    stack: contextlib.ExitStack,
) -> RunInfo:
    """Make the folder of all folds, locked until the stack ends, once the first fold is ready to be trained."""
    place = run_folder.make_folder(runs, checked.experiment.name)
    stack.enter_context(lock(place))
    settings = flattened(checked.experiment, checked.reading.folder, setup.plan.input_shapes)
    info = describe(replace(setup, checked=checked, settings=settings), place, store, mlflow_experiment)
    info = replace(info, tags={key: text for key, text in info.tags.items() if key not in OF_ONE}, classes={})
    for name, text in info.texts.items():
        run_folder.write_text(place / name, text)
    run_folder.write_json(place / run_folder.STARTED, {**about(info), "status": RUNNING})
    return info


def _again(folder: Path, stack: contextlib.ExitStack) -> RunInfo:
    """The run in a folder, which is locked until the stack ends, and runs again."""
    stack.enter_context(lock(folder))
    info = read_run(folder).info
    run_folder.write_json(folder / run_folder.STARTED, {**about(info), "status": RUNNING})
    return info


def _record(info: RunInfo, test: dict[str, float]) -> None:
    """Add the figures of all folds to the journal, unless its last line has them."""
    path = info.folder / run_folder.JOURNAL
    metrics = {f"{TEST}{name}": value for name, value in test.items()}
    known = Tail(path).more()
    if known and repr(known[-1][0].metrics) == repr(metrics):
        return
    with Journal(path, known[-1][1] if known else 0) as journal:
        journal.write(Record(0, 0, now(), metrics))


def _end(info: RunInfo, outcome: Outcome, open_tracking: Callable[[], Tracking]) -> None:
    """However the folds ended: write the status, and deliver it."""
    test = {name: value if math.isfinite(value) else str(value) for name, value in outcome.test.items()}
    content = {**about(info), "status": outcome.status, "ended": now(), "test": test, "test_of": outcome.test_of}
    with _unless_stopped(outcome.status):
        run_folder.write_json(info.folder / run_folder.STARTED, content)
    with open_tracking() as tracking:
        tracking.begin(info)
        timeout = DELIVERY_WHEN_STOPPED if outcome.status == "KILLED" else DELIVERY
        outcome.undelivered = tracking.end(outcome.status, timeout)
        outcome.where = tracking.where()


@contextlib.contextmanager
def _unless_stopped(status: Status) -> Iterator[None]:
    """Let the error that stopped the folds be the one that the user gets, not one of writing."""
    try:
        yield
    except RunError:
        if status == "FINISHED":
            raise
