"""One run of several folds: each fold is a run of its own in a folder of this one, trained as if it were alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dlrun.checks.check import Checked
from dlrun.errors import CompleteError, RunError, SpecError
from dlrun.language.component import written
from dlrun.language.experiment import INPUT
from dlrun.language.paths import with_absolute_paths
from dlrun.language.resolved import as_yaml, flattened
from dlrun.plan.length import EPOCHS as EPOCHS_UNLESS_GIVEN
from dlrun.runs import durable
from dlrun.runs import folder as run_folder
from dlrun.runs.info import Record, RunInfo, Status, Tracking
from dlrun.runs.journal import TEST, Journal, Tail, read_journal
from dlrun.runs.lock import lock
from dlrun.runs.run_json import NO_BEST, RUNNING, Best, about, about_ended, read_run
from dlrun.training.lifecycle.describe import describe, now
from dlrun.training.lifecycle.resume import resume
from dlrun.training.lifecycle.run import DELIVERY, DELIVERY_WHEN_STOPPED, Outcome, RunWatcher, run
from dlrun.training.lifecycle.setup import TrainingSetup
from dlrun.training.lifecycle.unchanged import check_settings
from dlrun.training.signals import Terminated
from dlrun.training.state import TrainingState

STD = "_std"
"""What the name of a metric ends in that is the standard deviation of another over the folds."""
EPOCHS, STEPS = "train.epochs", "train.steps"
"""The settings that say how long a training is."""
OF_ONE = ("split.hash", "spec.hash")
"""Tags that say something of one fold alone."""


CHANGED = (run_folder.RESOLVED, run_folder.STARTED)
"""The files of a run of folds that a resume changes."""


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
    original: RunInfo | None = None,
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
        folder: the run's folder, where it is resumed: it goes on at the fold that was interrupted, and trains those
            longer that are complete after fewer epochs or steps than the spec has now.
        original: the run that this one trains again, each fold that of the same number.

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
        before = {} if folder is None else {name: run_folder.read_text(folder / name) for name in CHANGED}
        parent = None if folder is None else _again(checked, folder, stack)

        def within(setup: TrainingSetup) -> Path:
            nonlocal parent
            if parent is None:
                parent = _begin(checked, setup, runs, store, mlflow_experiment, stack, original)
            place = run_folder.fold_of(parent.folder, number)
            if not place.is_dir():  # otherwise a kill left it, before there was a run in it
                durable.make_folder(place, inner=True)
            return place

        try:
            for number in range(1, folds + 1):
                known = _begun(parent, number)
                if parent is not None and known is not None and _is_complete(parent, known):
                    watcher.trained(number, None)
                    continue
                one = one_of(number, known)
                shown = watcher.fold(number, one)
                found = None
                with open_tracking() as tracking:
                    if known is None:
                        fold = None if original is None else read_run(run_folder.fold_of(original.folder, number)).info
                        found = run(one, shown, runs, tracking, store, mlflow_experiment, within, fold)
                    else:
                        with contextlib.suppress(CompleteError):
                            found = resume(known, one, shown, tracking)
                if found is not None and found.undelivered:
                    shown.notice(f"the tracker: {found.undelivered}")
                watcher.trained(number, found)
            assert parent is not None
            outcome.test = summary(figures_of(parent.folder))
            _record(parent, outcome.test)
            outcome.status, outcome.test_of = "FINISHED", f"the mean of {folds} folds"
        except (KeyboardInterrupt, Terminated):
            outcome.status = "KILLED"
            raise
        except SpecError:
            if parent is not None and before:  # nothing happens to a run that cannot go on so
                for name, text in before.items():
                    run_folder.write_text(parent.folder / name, text)
                parent = None
            raise
        finally:
            if parent is not None:
                outcome.folder = parent.folder
                _end(parent, outcome, open_tracking)
    return outcome


def figures_of(folder: Path) -> list[dict[str, float]]:
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


def _settings(checked: Checked) -> dict[str, str]:
    """Every setting of the spec of all folds; each fold may find sizes of its own for the network's inputs."""
    model = checked.experiment.need("model")
    given = model.inputs or ({INPUT: model.input} if model.input is not None else {})
    return flattened(checked.experiment, checked.reading.folder, given)


def _resolved(checked: Checked) -> str:
    """The spec of all folds with every default written, and without sizes that a fold finds."""
    return as_yaml(written(with_absolute_paths(checked.experiment, checked.reading.folder)))


def _is_complete(parent: RunInfo, fold: Path) -> bool:
    """Whether a fold is complete after as many epochs or steps as all folds are to have."""
    known = read_run(fold)
    (unit, length), (other, wanted) = _length(known.info.params), _length(parent.params)
    return known.status == "FINISHED" and unit == other and length >= wanted


def _length(settings: dict[str, str]) -> tuple[str, int]:
    """How long a training by these settings is: the setting that says it, and the number."""
    name = STEPS if STEPS in settings else EPOCHS
    return name, int(settings.get(name, EPOCHS_UNLESS_GIVEN))


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
    original: RunInfo | None,
) -> RunInfo:
    """Make the folder of all folds, locked until the stack ends, once the first fold is ready to be trained."""
    place = run_folder.make_folder(runs, checked.experiment.name, original is not None)
    stack.enter_context(lock(place))
    settings, text = _settings(checked), _resolved(checked)
    info = describe(replace(setup, checked=checked, settings=settings), place, store, mlflow_experiment, None, original)
    tags = {key: value for key, value in info.tags.items() if key not in OF_ONE}
    info = replace(info, tags=tags, texts={**info.texts, run_folder.RESOLVED: text}, classes={})
    for name, text in info.texts.items():
        run_folder.write_text(place / name, text)
    return _mark(info, info.texts[run_folder.RESOLVED])


def _again(checked: Checked, folder: Path, stack: contextlib.ExitStack) -> RunInfo:
    """The run in a folder, which is locked until the stack ends, and runs again, perhaps longer.

    Raises:
        SpecError: the spec is another one.
    """
    stack.enter_context(lock(folder))
    info, settings = read_run(folder).info, _settings(checked)
    check_settings(folder.name, info.params, settings, checked.experiment)
    (unit, length), (now, wanted) = _length(info.params), _length(settings)
    if unit == now and wanted < length:
        raise SpecError(f"{folder.name} has {unit}={length}, and {wanted} is less; the number can only grow")
    return _mark(replace(info, params=settings), _resolved(checked))


def _mark(info: RunInfo, text: str) -> RunInfo:
    """Write that the folds run, and by which spec."""
    run_folder.write_text(info.folder / run_folder.RESOLVED, text)
    run_folder.write_json(info.folder / run_folder.STARTED, {**about(info), "status": RUNNING})
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
    known = [read_run(place).best.metrics for place in run_folder.folds_of(info.folder)] if outcome.test else []
    best = Best(None, summary(known)) if known and all(known) else NO_BEST
    content = about_ended(info, outcome.status, now(), best, outcome.test, outcome.test_of)
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
