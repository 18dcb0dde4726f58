"""The public functions of `import dlrun` that join several rooms: check a spec, train it, read a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.runs.info import Record, RunInfo
    from dlrun.training.lifecycle.run import Outcome


def check(spec: Path | str, *overrides: str) -> Checked:
    """Check a spec without training, as `dlrun check` does; torch is not imported.

    Args:
        spec: the YAML file.
        overrides: changes to it, such as `"train.epochs=5"`.

    Returns:
        The validated experiment with its plan: `checked.plan.total` is the number of weights.

    Raises:
        SpecError: with every problem that was found, each with its place.
    """
    from dlrun.checks.check import check as check_spec
    from dlrun.language.usable import usable

    return check_spec(usable(Path(spec)), overrides)


def train(spec: Path | str, *overrides: str, runs: Path | str = "runs") -> Outcome:
    """Train by a spec, as `dlrun train` does, without printing.

    Afterwards the process is as it was: threads, warnings, precision and random generators are put back.

    Args:
        spec: the YAML file.
        overrides: changes to it, such as `"train.epochs=5"`.
        runs: the folder for the run's folder.

    Returns:
        The run's `folder`, its `status`, its `test` metrics, and what could not be sent to the tracker. Of several
        folds these are the mean of each metric and, by its name and `_std`, its standard deviation; of a run with a
        refit, all is that of the refit.

    Raises:
        SpecError: the spec or its data is wrong.
        RunError: training failed.
        KeyboardInterrupt, Terminated: a signal stopped the run; `dlrun resume` resumes it.
    """
    from dlrun.checks.check import check as check_spec
    from dlrun.language.usable import usable
    from dlrun.tracking.open import experiment_of, open_tracking, store_of

    runs = usable(Path(runs))
    spec = usable(Path(spec))
    checked = check_spec(spec, overrides, training=True, runs=runs)
    tracker = checked.experiment.tracking
    store, experiment = store_of(tracker), experiment_of(tracker, checked.experiment.name)
    if checked.experiment.need("data").split.every_fold:
        from dlrun.training.lifecycle.folds import run_folds

        def one_of(number: int, _known: Path | None) -> Checked:
            return check_spec(spec, [*overrides, f"data.split.fold={number}"], training=True, runs=runs)

        return run_folds(checked, one_of, _Silent(), runs, lambda: open_tracking(tracker, runs), store, experiment)
    with open_tracking(tracker, runs) as tracking:
        from dlrun.training.lifecycle.run import run

        searched = run(checked, _Silent(), runs, tracking, store, experiment)
    if not checked.experiment.train.refits:
        return searched
    from dlrun.training.lifecycle.refit import check_refit, refit

    with open_tracking(tracker, runs) as tracking:
        return refit(searched.folder, check_refit(searched.folder), _Silent(), tracking)


class _Silent:
    """A watcher that shows nothing."""

    def ready(self, plan: Any, loaded: Any, folder: Path, device: str) -> None: ...
    def note(self, problem: Any) -> None: ...
    def notice(self, text: str) -> None: ...

    def tested(self, setup: Any, training: Any, outcome: Outcome) -> None:
        from dlrun.trained.of_training import keep_evaluation

        keep_evaluation(setup, training, outcome)

    def trunk(self, rows: int, share: float) -> None: ...
    def baseline(self, name: str, number: int, count: int) -> None: ...
    def progress(self, progress: Any) -> None: ...
    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None: ...
    def trained(self, number: int, outcome: Any) -> None: ...

    def fold(self, number: int, checked: Any) -> _Silent:
        return self


@dataclass(frozen=True, slots=True)
class Run:
    """A run, read from its folder."""

    info: RunInfo
    """Its name, folder, settings (`info.params`) and tags."""
    status: str
    """RUNNING, FINISHED, FAILED or KILLED."""
    records: tuple[Record, ...]
    """The journal: the metrics of each epoch, then those of the test."""

    def metric(self, name: str) -> list[float]:
        """The values of a metric in order, such as `validation/loss` after each epoch; empty if there is no such."""
        return [record.metrics[name] for record in self.records if name in record.metrics]


def read_run(run: Path | str = "last", runs: Path | str = "runs") -> Run:
    """Read a run; torch is not imported.

    Args:
        run: its folder, its name, `last`, or another way to name a run: see `dlrun.runs.find.find_run`.
        runs: the folder in which a name is looked up.

    Raises:
        SpecError: there is no such run.
        RunError: a file of the run is damaged.
    """
    from dlrun.language.usable import usable
    from dlrun.runs import folder as run_folder
    from dlrun.runs.find import find_run
    from dlrun.runs.journal import read_journal
    from dlrun.runs.run_json import read_run as read_run_json

    folder = find_run(str(run), usable(Path(runs)))
    known = read_run_json(folder)
    journal = folder / run_folder.JOURNAL
    return Run(known.info, known.status, tuple(read_journal(journal)) if journal.exists() else ())
