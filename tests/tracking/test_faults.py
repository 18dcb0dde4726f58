"""A server that is slow or unreachable, always or now and then, costs training nothing, and has everything at last.

By default a few faults of each kind are tried; DLRUN_FAULTS=200 tries all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from faulty_server import FAULTS, Server, proxy, wait_for
from nursery import Nursery
from run_folders import end_run, epochs, make_run, rows, stored

from dlrun.commands.look.sync import sync
from dlrun.runs.folder import JOURNAL
from dlrun.runs.journal import Journal
from dlrun.runs.lock import lock
from dlrun.tracking import mlflow_tracking as mlflow
from dlrun.tracking.mlflow_tracking import MlflowTracking

pytestmark = pytest.mark.counts

MANY = int(os.environ.get("DLRUN_FAULTS", "0"))
SCHEDULES = MANY or 8
GROUPS = MANY // 2 or 1
LOCKED, SECONDS = (20, 60.0) if MANY else (2, 2.5)
WHENS = ("at the start", "in the middle", "alternating", "never back", "now and then")
TIMEOUT = 1.0
"""Seconds that a client waits; the nursery sets the same."""
GRACE = 3.0
RECORDS = epochs(6)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, nursery: Nursery) -> None:
    monkeypatch.setattr(mlflow, "start_process", nursery.start)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def script(when: str, fault: str, random: Random) -> Callable[[int], str]:
    """A function from the number of a request to its fault."""
    first, last, share = random.randint(1, 4), random.randint(5, 12), random.uniform(0.1, 0.6)
    struck = {
        "at the start": lambda number: number < first,
        "in the middle": lambda number: first <= number < last,
        "alternating": lambda number: number % 2 == 1,
        "never back": lambda number: number >= last - first,
        "now and then": lambda _: random.random() < share,
    }[when]
    return lambda number: (fault or random.choice(FAULTS)) if struck(number) else ""


def schedules(count: int) -> Iterator[tuple[str, str, bool]]:
    """When a fault comes, which one, and whether the training process is killed."""
    random = Random(11)
    grid = [(when, fault) for when in WHENS for fault in (*FAULTS, "")]
    while count > 0:
        random.shuffle(grid)
        for when, fault in grid[:count]:
            yield when, fault, random.random() < 0.25
        count -= len(grid)


@dataclass
class Trained:
    """A run after training, and its tracker."""

    report: str
    """The report of the tracker at the end."""
    longest: float
    """Seconds of the longest call before the end."""
    process: Any


def train(runs: Path, folder: Path, store: str, experiment: str, killed: bool) -> Trained:
    """A run as training makes it, with a record now and then."""
    info = make_run(folder, status="RUNNING", experiment=experiment, store=store)
    (folder / JOURNAL).unlink()
    with MlflowTracking(store, runs, GRACE) as tracking, contextlib.ExitStack() as alive:
        alive.enter_context(lock(folder))
        before = time.perf_counter()
        tracking.begin(info)
        longest = time.perf_counter() - before
        with Journal(folder / JOURNAL) as journal:
            for record in RECORDS:
                journal.write(record)
                time.sleep(0.02)
        if killed:
            alive.close()
            return Trained("", longest, tracking._process)
        end_run(info, "FINISHED")
        return Trained(tracking.end("FINISHED", 2.0), longest, tracking._process)


def run_schedule(number: int, runs: Path, server: Server) -> str:
    """Run one schedule and check its result, except for the sync; returns a description."""
    when, fault, killed = list(schedules(SCHEDULES))[number]
    folder = runs / f"run-{number}"
    with proxy(server, script(when, fault, Random(number)), TIMEOUT) as faulty:
        trained = train(runs, folder, faulty.address, f"schedule {number}", killed)
        wait_for(lambda: trained.process.poll() is not None, GRACE + 60)  # no process stays
        trained.process.stdout.close()
        if not trained.report and not killed:
            (run,) = [run for run in stored(server.store, f"schedule {number}") if run.metrics]
            assert (run.status, run.metrics) == ("FINISHED", rows(RECORDS))
        assert ("`dlrun sync" in trained.report) == bool(trained.report)
        faulty.recover()
    result = trained.report or ("killed" if killed else "all was delivered")
    return (
        f"{fault or 'anything'} {when}, {faulty.faults} faults, a call took {1000 * trained.longest:.2f} ms: {result}\n"
    )


def test_a_faulty_server_has_the_whole_history_once_after_a_sync(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(lambda number: run_schedule(number, runs, server), range(SCHEDULES)))
    for number in range(SCHEDULES):
        status = "KILLED" if "killed" in reports[number] else "FINISHED"
        # Two times: the second one finds nothing that it could send.
        for _ in range(2):
            capsys.readouterr()
            sync(f"run-{number}", to=f"http://127.0.0.1:{server.port}", runs=runs)
            (run,) = stored(server.store, f"schedule {number}")
            assert (run.name, run.status, run.metrics) == (f"run-{number}", status, rows(RECORDS)), reports[number]
            assert run.params == {"optimizer": "adam"}
        assert capsys.readouterr().out.endswith(" 0 values sent\n")
    sys.stdout.write(f"  tracker: {SCHEDULES} schedules of faults, all complete, nothing twice\n")


@pytest.mark.parametrize("group", range(GROUPS))
def test_eight_runs_at_once_make_a_new_store_and_all_are_in_it(group: int, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    infos = [make_run(runs / f"run-{number}", RECORDS, "RUNNING", store="default") for number in range(8)]
    with contextlib.ExitStack() as opened:
        for info in infos:
            opened.enter_context(lock(info.folder))
        trackings = [opened.enter_context(MlflowTracking("default", runs)) for _ in infos]
        for info, tracking in zip(infos, trackings, strict=True):
            tracking.begin(info)
        for info, tracking in zip(infos, trackings, strict=True):
            end_run(info, "FINISHED")
            assert tracking.end("FINISHED", 120) == ""
    found = stored(runs / "mlflow.db")
    assert [run.name for run in found] == [f"run-{number}" for number in range(8)]
    assert all((run.status, run.metrics) == ("FINISHED", rows(RECORDS)) for run in found)
    sys.stdout.write(f"  tracker: group {group + 1} of {GROUPS}, eight runs at once into a new store\n")


def test_a_store_that_another_process_has_locked_loses_nothing(template: Path, tmp_path: Path) -> None:
    def one(number: int) -> str:
        runs = tmp_path / f"runs-{number}"
        runs.mkdir()
        shutil.copy(template, runs)
        with closing(sqlite3.connect(runs / "mlflow.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            release = time.monotonic() + SECONDS
            report = train(runs, runs / "calm-otter", "default", "digits", killed=False).report
            time.sleep(max(release - time.monotonic(), 0))
        return report

    with ThreadPoolExecutor(LOCKED) as threads:
        reports = list(threads.map(one, range(LOCKED)))
    for number in range(LOCKED):
        runs = tmp_path / f"runs-{number}"
        assert "database is locked" in reports[number] or "not done after" in reports[number]
        sync("last", runs=runs)
        (run,) = stored(runs / "mlflow.db")
        assert (run.status, run.metrics) == ("FINISHED", rows(RECORDS))
    sys.stdout.write(f"  tracker: {LOCKED} stores locked for {SECONDS:g} s\n")
