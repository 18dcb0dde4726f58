"""What the screen shows of a run, from its first line to its last."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from dlrun.commands import interrupts, screen
from dlrun.commands.interrupts import INTERRUPTED
from dlrun.commands.train.baselines import show_comparison
from dlrun.commands.train.progress import EpochTable
from dlrun.commands.write.check import data_lines
from dlrun.errors import Problem, RunError, without_password
from dlrun.shapes import readable, show_named

if TYPE_CHECKING:
    from dlrun.checks.check import Checked
    from dlrun.commands.train.reproducing import Reproducing
    from dlrun.plan.losses import Term
    from dlrun.plan.metrics import Watched
    from dlrun.runs.info import Tracking
    from dlrun.trained.report.figures import Report
    from dlrun.training.lifecycle.run import Outcome
    from dlrun.training.lifecycle.setup import TrainingSetup
    from dlrun.training.loop import Progress, Training

TERMINATED = 143
"""The exit code after SIGTERM."""


def show_run(
    checked: Checked,
    runs: Path,
    store: str | None,
    mlflow_experiment: str,
    start: Callable[[RunScreen, Tracking], Outcome],
    every: int | None,
    reproducing: Reproducing | None = None,
) -> Path:
    """Start a run, and show it from its first line to its last; returns its folder."""
    from dlrun.tracking.open import open_store

    show_start(checked, runs, store, mlflow_experiment)
    watcher = RunScreen(checked, every, reproducing)
    # The tracker's process starts before torch is imported here, so that both import at the same time.
    with open_store(store, runs) as tracking, until_stopped(watcher):
        outcome = start(watcher, tracking)
        watcher.stop()
        show_outcome(outcome, watcher)
    assert watcher.folder is not None
    return watcher.folder


class Stoppable(Protocol):
    """Shows a training that a signal may stop."""

    def stop(self) -> None:
        """End what is shown."""
        ...

    def next_step(self) -> str:
        """What can be done once it was interrupted; '' where there is nothing."""
        ...

    def caching(self, what: str, share: float) -> None:
        """Show what is made for the cache, or waited for, and how much of it is done."""
        ...


@contextlib.contextmanager
def until_stopped(watcher: Stoppable) -> Iterator[None]:
    """Say what can be done after a signal, and end with its code; too little memory is one clear error.

    What is made for the cache is shown too. A run that has come as far as it was to come has simply ended.

    Raises:
        RunError: there is not enough memory.
    """
    from dlrun import cache
    from dlrun.training.signals import Reached, Terminated

    try:
        with cache.watching(watcher.caching):
            yield
    except Reached:
        pass
    except (KeyboardInterrupt, Terminated) as end:
        watcher.stop()
        by_user = isinstance(end, KeyboardInterrupt)
        screen.failure(("interrupted" if by_user else "terminated") + watcher.next_step())
        raise typer.Exit(INTERRUPTED if by_user else TERMINATED) from None
    except (MemoryError, RuntimeError) as error:  # before training began; training has its own message
        from dlrun.training.lifecycle.run import out_of_memory

        if what := out_of_memory(error):
            raise RunError(what) from error
        raise
    finally:
        watcher.stop()


def show_start(checked: Checked, runs: Path, store: str | None, mlflow_experiment: str) -> None:
    """Print the data, the model and the training, and where it is tracked, in a few lines."""
    from dlrun.tracking.store import address

    screen.make_optional()
    show_plan(checked)
    if store is not None:
        screen.say_folded(f"  track   {without_password(address(store, runs))}, experiment {mlflow_experiment}")


def show_plan(checked: Checked) -> None:
    """Print the data, the model and the training in a few lines."""
    from dlrun.language.experiment import as_tuple

    experiment, plan = checked.experiment, checked.plan
    few = "" if plan.exact else "up to "
    screen.say_folded(f"{experiment.name}" + (f": {experiment.description}" if experiment.description else ""))
    for line in data_lines(checked):
        screen.say_folded("  " + line)
    if scaling := experiment.need("data").target_preprocess:
        kinds = ", ".join(step.kind for step in scaling)
        screen.say_folded(
            f"  target  {kinds}: the loss is in scaled units, metrics and predictions in those of the data"
        )
    layers = "1 layer" if len(plan.layers) == 1 else f"{len(plan.layers)} layers"
    steps = " -> ".join([*(p.step.kind for p in plan.preprocess), layers])
    raw = {entry.name: entry.raw for entry in plan.inputs}
    screen.say_folded(
        f"  model   {show_named(raw)} -> {steps} -> {show_named(plan.output_shapes)}, {few}{plan.total:,} weights, "
        f"{readable(plan.macs)} multiply-adds a sample"
    )
    kinds = [" + ".join(one.kind for one in several) for several in (experiment.losses, experiment.optimizers)]
    kinds += [" + ".join(one.kind for one in as_tuple(experiment.schedule))] if experiment.schedule else []
    average: Any = experiment.train.average
    kinds += [average.kind] if average is not None else []
    batches = experiment.train.accumulate
    several = f"; {batches} batches of {experiment.train.batch_size} a step" if batches > 1 else ""
    screen.say_folded(f"  train   {', '.join(kinds)}{several}; seed {experiment.seed}")


def next_step(folder: Path | None) -> str:
    """What can be done with a run once it was interrupted; '' where there is none."""
    from dlrun.runs.refit import is_complete, refit_of
    from dlrun.runs.run_json import read_run

    if folder is None:
        return ""
    refit = refit_of(folder)
    if read_run(folder).status == "FINISHED" and (refit is None or is_complete(refit)):
        return f"; the run {folder} is complete"
    return f"; `dlrun resume {folder}` resumes it"


class RunScreen:
    """Shows the progress of a run: a table of epochs, and below it a live line on a terminal."""

    def __init__(self, checked: Checked, every: int | None = None, reproducing: Reproducing | None = None):
        self.checked, self.reproducing = checked, reproducing
        self.folder: Path | None = None
        self.bar: Any = None
        self.table = _table(checked, every)
        self.cells = {name for one in _objective(checked)[1] if one.metric.is_table for name in one.names}
        """The values that are shown as a table of their own, at the end."""
        self.report: Report | None = None
        """How good the network is on the test rows."""
        self.done: tuple[int, int] | None = None
        """The last epoch that is complete, and how many there are."""
        self.started = time.monotonic()
        self.cached = ""
        """What was made for the cache last."""

    def caching(self, what: str, share: float) -> None:
        """Say what is made for the cache, or waited for, and show how much is done."""
        if what != self.cached:
            self.cached = what
            screen.say_folded(f"  cache   {what}")
        self._show_share("cache", share)

    def trunk(self, rows: int, share: float) -> None:
        """Say that a frozen trunk is computed once, and show how much is done."""
        if share == 0:
            screen.say_folded(f"  trunk   frozen: computed once for each of {rows:,} rows")
        self._show_share("trunk", share)

    def _show_share(self, title: str, share: float) -> None:
        """Show how much is done of what comes before training."""
        if share >= 1:
            self._stop_bar()
        elif self.bar is None and screen.has_live_line():
            self.bar = screen.Bar()
        if self.bar is not None:
            self.bar.show(share, title, "")

    def ready(self, plan: Any, loaded: Any, folder: Path, device: str) -> None:
        """Print the run's folder and device; training begins."""
        from dlrun.runs.folder import JOURNAL
        from dlrun.runs.journal import read_journal

        interrupts.raise_from_now_on()
        self._stop_bar()
        self.folder = folder
        if not self.checked.plan.exact:
            screen.say_folded(
                f"  fitted  {show_named(plan.input_shapes)} numbers go into the network, {plan.total:,} weights"
            )
        screen.say_folded(f"  run     {folder} on {device}")
        if self.reproducing is not None:
            self.reproducing.ready(self.checked, folder)
        for record in read_journal(folder / JOURNAL):  # the epochs before an interruption
            self.table.seen(record.metrics)
        self.started = time.monotonic()
        if screen.has_live_line():
            self.bar = screen.Bar()

    def note(self, problem: Problem) -> None:
        """Print a note about the data."""
        screen.notes([problem])

    def notice(self, text: str) -> None:
        """Print a note."""
        screen.failure(text, word="note")

    def tested(self, setup: TrainingSetup, training: Training, outcome: Outcome) -> None:
        """Keep the evaluation on the test rows, for the end."""
        from dlrun.trained.of_training import keep_evaluation

        self.report = keep_evaluation(setup, training, outcome)

    def baseline(self, name: str, number: int, count: int) -> None:
        """End the table of epochs, and show which baseline is computed."""
        if number == 1:
            self.stop()
            if screen.has_live_line():
                self.bar = screen.Bar()
        if self.bar is not None:
            self.bar.show((number - 1) / count, f"baseline {number}/{count}, Ctrl-C skips", name)

    def progress(self, progress: Progress) -> None:
        """Update the live line; called a few times a second."""
        if self.bar is not None:
            done = (progress.epoch - 1 + progress.step / progress.steps) / progress.epochs
            loss = "" if math.isnan(progress.loss) else f"train/loss {progress.loss:.4g}"
            self.bar.show(done, f"epoch {progress.epoch}/{progress.epochs}", loss)

    def epoch(self, epoch: int, metrics: dict[str, float], epochs: int) -> None:
        """Print a row of the table where one is due."""
        self.done = epoch, epochs
        shown = {name: value for name, value in metrics.items() if name.partition("/")[2] not in self.cells}
        for line in self.table.add(epoch, shown, epochs):
            screen.say(line)
        if self.bar is not None:
            self.bar.show(epoch / epochs, f"epoch {epoch}/{epochs}", f"train/loss {metrics['train/loss']:.4g}")
        if self.reproducing is not None:
            self.reproducing.epoch(epoch)

    def next_step(self) -> str:
        """What can be done with the run once it was interrupted; '' where there is none."""
        return next_step(self.folder)

    def _stop_bar(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def stop(self) -> None:
        """End the table and the live line."""
        for line in self.table.rest():
            screen.say(line)
        self._stop_bar()
        if self.done is not None:
            elapsed = timedelta(seconds=round(time.monotonic() - self.started))
            screen.say(f"  epoch {self.done[0]}/{self.done[1]}, {elapsed} elapsed")
        self.done = None


def _objective(checked: Checked) -> tuple[list[Term], list[Watched]]:
    from dlrun.plan.objective import objective

    experiment = checked.experiment
    assert checked.data_info is not None
    return objective(experiment.losses, experiment.metrics, checked.plan, checked.data_info)  # type: ignore[arg-type]


def _table(checked: Checked, every: int | None) -> EpochTable:
    """The table of a run's epochs; which metric decides is as in training."""
    from dlrun.plan.monitor import monitor

    assert checked.sizes is not None
    _, watched = _objective(checked)
    deciding = monitor(checked.experiment.train, watched, checked.sizes.validation > 0)
    return EpochTable(deciding, screen.width(), every)


def directions(checked: Checked) -> dict[str, bool | None]:
    """The losses and the metrics of one value, and whether more of each is better; None where neither more nor less
    is."""
    terms, watched = _objective(checked)
    losses = ["loss", *(term.name for term in terms)]
    return dict.fromkeys(losses, False) | {one.name: one.metric.greater_is_better for one in watched if not one.parts}


def show_outcome(outcome: Outcome, watcher: RunScreen) -> None:
    """Print the best epoch, the test metrics beside those of the baselines, the run's folder, and where to compare."""
    if not watcher.table.monitor.newest:
        show_best(outcome, watcher.table.monitor.name)
    if outcome.test:
        show_test(outcome, _objective(watcher.checked)[1], watcher.cells)
        if watcher.report is not None:
            show_report(watcher.report)
    else:
        screen.say("  no test rows: `data.split.test` is 0")
    if outcome.comparison is not None:
        show_comparison(outcome.comparison, directions(watcher.checked))
    show_places(outcome)


def show_test(outcome: Outcome, watched: Sequence[Watched], cells: Collection[str]) -> None:
    """Print the test metrics: one below the other, and those that are a table, whose values are `cells`, as a
    table."""
    rows = [(name, screen.show_value(value)) for name, value in outcome.test.items() if name not in cells]
    screen.table((f"test, {outcome.test_of}", "value"), rows, right=("value",))
    for one in watched:
        if one.metric.is_table:
            _show_table(one, outcome)


def show_report(report: Report) -> None:
    """Print in a few lines where the network is wrong on the test rows."""
    from dlrun.trained.report.lines import lines

    for line in lines(report, screen.width()):
        screen.say(line)


def _show_table(one: Watched, outcome: Outcome) -> None:
    """Print a row for each true class and a column for each predicted one; where that is too wide, where to find it."""
    classes = list(dict.fromkeys(part.partition("/")[0] for part in one.parts))
    head = (f"{one.name}: true, then predicted", *classes)
    values = [[outcome.test[f"{one.name}/{true}/{answer}"] for answer in classes] for true in classes]
    rows = [
        (true, *(f"{value:,.0f}" if math.isfinite(value) else screen.show_value(value) for value in of_true))
        for true, of_true in zip(classes, values, strict=True)
    ]
    if screen.fitting(head, rows) < len(head):
        screen.say_folded(f"  {one.name}: too wide for the screen; its values are in {outcome.folder}")
    else:
        screen.table(head, rows, right=classes)


def show_best(outcome: Outcome, monitor: str) -> None:
    """Print the best epoch by the metric `monitor`."""
    state = outcome.state
    if state.stopped_early:
        screen.say(f"  stopped early after epoch {state.epoch}")
    if state.best_epoch:
        screen.say(f"  best epoch {state.best_epoch} (*), {monitor} {screen.show_value(state.best_value)}")


def show_places(outcome: Outcome) -> None:
    """Print the run's folder, where to compare it, and what could not be delivered."""
    screen.say(f"run      {outcome.folder}")
    if outcome.where:
        screen.say_folded(f"compare  {outcome.where}", hanging=9)
    if outcome.undelivered:
        screen.failure(f"the tracker: {outcome.undelivered}", word="warning")
