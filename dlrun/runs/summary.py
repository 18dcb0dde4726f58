"""What a run came to, from its folder alone: its status, its times and its figures. Nothing on the disk is changed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlrun.errors import RunError
from dlrun.runs import folder as run_folder
from dlrun.runs.info import Record, RunInfo
from dlrun.runs.journal import CLOCK, TEST, read_journal
from dlrun.runs.lock import is_locked
from dlrun.runs.refit import has_begun, refit_of
from dlrun.runs.run_json import NO_BEST, RUNNING, Best, KnownRun, best_of, read_run
from dlrun.runs.settings import by_kind

VALIDATION, TRAIN = "validation/", "train/"
FINISHED, DIED = "FINISHED", "KILLED"
"""The status of a complete run, and of one that no process trains though run.json says that it is running."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run, with all its folds or with its refit."""

    info: RunInfo
    status: str
    """RUNNING, FINISHED, FAILED or KILLED; of a run with a refit FINISHED only when the refit is complete."""
    seconds: float
    """How long it took, or takes already; that of a run that was resumed includes the time between."""
    settings: dict[str, str]
    """Those of `info`, with the entries of lists by their kinds: see `by_kind`."""
    best_epoch: int | None
    metrics: dict[str, float]
    """The metrics of the best epoch, and those of the test with `test/` in front; of several folds the means. Those of
    the test are the refit's, where there is one."""
    damaged: str = ""
    """What is wrong with the journal, so that metrics are missing; '' if nothing is."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.info.folder.name

    @property
    def monitor(self) -> str:
        """The metric that decided which epoch is the best."""
        return self.info.monitor or f"{VALIDATION}loss"


def summary_of(folder: Path) -> RunSummary:
    """The summary of the run in a folder.

    Raises:
        RunError: run.json is missing or damaged.
    """
    known = read_run(folder)
    state = _state(known)
    status, end, best, damaged = state.status, state.end, state.best, state.damaged
    test = known.test
    if status == FINISHED and (refit := refit_of(folder)) is not None:
        test = {}
        if has_begun(refit):
            trained = read_run(refit)
            state = _state(trained)
            status, end, damaged, test = state.status, state.end, damaged or state.damaged, trained.test
        else:
            status = DIED
    metrics = {**best.metrics, **{f"{TEST}{name}": value for name, value in test.items()}}
    seconds = max(0.0, (end - known.info.started) / 1000)
    return RunSummary(known.info, status, seconds, by_kind(known.info.params), best.epoch, metrics, damaged)


@dataclass(frozen=True, slots=True)
class _State:
    status: str
    end: int
    """When it ended, gave its last sign, or now while it runs; milliseconds since 1970."""
    best: Best
    damaged: str


def _state(known: KnownRun) -> _State:
    """The state of one run. The journal is read only where run.json does not have all."""
    status = str(known.status)
    if status == RUNNING and not is_locked(known.info.folder):
        status = DIED
    if known.best.metrics and known.ended is not None:
        return _State(status, known.ended, known.best, "")
    records: list[Record] = []
    damaged = ""
    journal = known.info.folder / run_folder.JOURNAL
    if journal.exists():
        try:
            records = read_journal(journal)
        except RunError as error:
            damaged = str(error)
    if status == RUNNING:
        end = time.time_ns() // 1_000_000
    else:
        end = known.ended or (records[-1].time if records else known.info.started)
    return _State(status, end, known.best if known.best.metrics else _best(records, known.info), damaged)


def _best(records: Sequence[Record], info: RunInfo) -> Best:
    """The best epoch so far of a run that has not ended; without validation rows the last one."""
    epochs = [record for record in records if not all(name.startswith((TEST, CLOCK)) for name in record.metrics)]
    if not any(name.startswith(VALIDATION) for record in epochs for name in record.metrics):
        return best_of(epochs, epochs[-1].epoch) if epochs else NO_BEST
    name = info.monitor or f"{VALIDATION}loss"
    values = [(record.metrics.get(name, math.nan), record.epoch) for record in epochs]
    values = [(value, epoch) for value, epoch in values if math.isfinite(value)]
    if not values:
        return NO_BEST
    rising = greater_is_better(name, info) or False
    first = min(values, key=lambda pair: (-pair[0] if rising else pair[0], pair[1]))
    return best_of(epochs, first[1])


def greater_is_better(metric: str, info: RunInfo) -> bool | None:
    """Whether more is better of a metric such as `validation/accuracy`; None where neither more nor less is."""
    return info.greater_is_better.get(metric.partition("/")[2])
