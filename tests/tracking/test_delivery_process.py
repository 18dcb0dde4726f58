"""The delivery process: it disturbs no other process, outlives a killed training process, and ends soon after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_server import wait_for
from nursery import Nursery
from places import ROOT
from run_folders import STARTED, end_run, epochs, make_run, rows, stored

from dlrun.runs.folder import JOURNAL
from dlrun.runs.folder import STARTED as RUN_FILE
from dlrun.runs.journal import Journal
from dlrun.runs.lock import lock, lock_beside
from dlrun.tracking import mlflow_tracking as mlflow
from dlrun.tracking.delivery_state import DeliveryState, recall
from dlrun.tracking.mlflow_tracking import MlflowTracking
from dlrun.tracking.store import sqlite_uri

RECORDS = epochs(4)

TRAINER = """
import os, signal, sys, time
from pathlib import Path
from run_folders import end_run, epochs, make_run
from dlrun.tracking.mlflow_tracking import MlflowTracking
from dlrun.runs.folder import JOURNAL
from dlrun.runs.journal import Journal
from dlrun.runs.lock import lock

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
runs = Path(sys.argv[1])
with MlflowTracking("default", runs) as tracking:
    info = make_run(runs / "calm-otter", status="RUNNING")
    (info.folder / JOURNAL).unlink()
    with lock(info.folder), Journal(info.folder / JOURNAL) as journal:
        tracking.begin(info)
        for record in epochs(4):
            journal.write(record)
        if not os.fork():
            time.sleep(60)  # a child that has all open files of its parent, and outlives it
            os._exit(0)
        try:
            print(tracking._process.pid, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            end_run(info, "KILLED")
            sys.exit(tracking.end("KILLED", 30) or 0)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Its parent was killed, and its new parent may never wait for it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_however_the_training_process_is_ended_its_run_is_killed_with_all_its_metrics(runs: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINER, str(runs)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        deliverer = int(process.stdout.readline())
        if number == signal.SIGINT:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            process.wait(60)
        else:
            process.kill()
            process.wait()
        wait_for(lambda: not alive(deliverer))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert process.returncode == (0 if number == signal.SIGINT else -signal.SIGKILL)
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.metrics) == ("KILLED", rows(RECORDS))
    assert json.loads((runs / "calm-otter" / RUN_FILE).read_text())["status"] == "KILLED"
    if number == signal.SIGKILL:
        assert run.ended == RECORDS[-1].time  # the time of its last record


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, nursery: Nursery) -> None:
    """Processes that have MLflow loaded."""
    monkeypatch.setattr(mlflow, "start_process", nursery.start)


def process_of(tracking: MlflowTracking) -> Any:
    assert tracking._process is not None
    return tracking._process


def test_metrics_arrive_while_the_run_trains(runs: Path, quick: None) -> None:
    with MlflowTracking("default", runs) as tracking:
        info = make_run(runs / "calm-otter", RECORDS[:1], "RUNNING")
        with lock(info.folder), Journal(info.folder / JOURNAL, 0) as journal:
            tracking.begin(info)
            wait_for(lambda: [run.metrics for run in stored(runs / "mlflow.db")] == [rows(RECORDS[:1])])
            assert [run.status for run in stored(runs / "mlflow.db")] == ["RUNNING"]
            for record in RECORDS:
                journal.write(record)
            wait_for(lambda: [run.metrics for run in stored(runs / "mlflow.db")] == [rows(RECORDS)])
            assert tracking.end("FAILED", 60) == ""
    assert [run.status for run in stored(runs / "mlflow.db")] == ["FAILED"]
    assert tracking.where() == f"dlrun ui --runs {runs} (experiment digits, run calm-otter)"


def test_nothing_but_the_end_waits_for_a_process_that_does_not_move(runs: Path, quick: None) -> None:
    with MlflowTracking("default", runs) as tracking:
        process = process_of(tracking)
        os.kill(process.pid, signal.SIGSTOP)
        info = make_run(runs / "calm-otter", RECORDS, "RUNNING")
        tracking.begin(info)
        report = tracking.end("FINISHED", 0.1)
    uri = sqlite_uri(runs / "mlflow.db")
    assert report == (
        f"MLflow at {uri} lacks some of this run: not done after 0.1 s; `dlrun sync {info.folder}` delivers the rest"
    )
    assert process.poll() is not None


def test_a_process_that_dies_is_reported(runs: Path, quick: None) -> None:
    with MlflowTracking("default", runs) as tracking:
        process_of(tracking).kill()
        process_of(tracking).wait()
        tracking.begin(make_run(runs / "calm-otter", RECORDS, "RUNNING"))
        assert "lacks some of this run: the delivery process has died; `dlrun sync" in tracking.end("FINISHED", 60)


def test_a_process_that_cannot_be_started_is_reported(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(mlflow, "start_process", fail)
    with MlflowTracking("default", runs) as tracking:
        tracking.begin(make_run(runs / "calm-otter", RECORDS, "RUNNING"))
        report = tracking.end("FINISHED", 60)
    assert "the delivery process cannot be started: Resource temporarily unavailable" in report


def test_without_a_run_nothing_is_left_of_the_process(runs: Path, quick: None) -> None:
    with MlflowTracking("default", runs) as tracking:
        assert tracking.end("FINISHED", 60) == ""
        assert tracking.where() == f"dlrun ui --runs {runs}"
    assert process_of(tracking).poll() is not None


def test_the_command_line_that_everybody_sees_has_no_address(runs: Path) -> None:
    with MlflowTracking("http://me:secret@127.0.0.1:1", runs) as tracking:
        line = Path(f"/proc/{process_of(tracking).pid}/cmdline")
        wait_for(lambda: b"delivery_process" in line.read_bytes())
        assert b"secret" not in line.read_bytes()
        assert tracking.where() == "http://me:***@127.0.0.1:1"


def test_a_run_that_is_resumed_is_not_killed_when_the_first_process_was(runs: Path, quick: None) -> None:
    info = make_run(runs / "calm-otter", RECORDS, "RUNNING")
    with MlflowTracking("default", runs) as first:
        first.begin(info)
        wait_for(lambda: [run.metrics for run in stored(runs / "mlflow.db")] == [rows(RECORDS)])
        with lock(info.folder):  # the process that resumes it
            process = process_of(first)
            process.stdin.close()
            with MlflowTracking("default", runs) as second:
                second.begin(info)
                wait_for(lambda: process.poll() is not None)
                assert [run.status for run in stored(runs / "mlflow.db")] == ["RUNNING"]
                assert json.loads((info.folder / RUN_FILE).read_text())["status"] == "RUNNING"
                assert second.end("FINISHED", 60) == ""
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.metrics) == ("FINISHED", rows(RECORDS))


def test_a_run_delivers_the_runs_beside_it_that_died_or_were_not_delivered(runs: Path, quick: None) -> None:
    uri = sqlite_uri(runs / "mlflow.db")
    died = make_run(runs / "died", RECORDS, "RUNNING")
    untracked = make_run(runs / "untracked", RECORDS, "RUNNING", store=None)
    trained = make_run(runs / "trained", RECORDS, "RUNNING")
    late = make_run(runs / "late", RECORDS, "FINISHED")
    (late.folder / "tracking.json").write_text(json.dumps({uri: {"run": None, "journal": 0, "complete": False}}))
    make_run(runs / "from-elsewhere", RECORDS, "FINISHED")
    (runs / "odd").mkdir()
    (runs / "odd" / RUN_FILE).write_text("[1]")
    with lock(trained.folder), MlflowTracking("default", runs) as tracking:
        own = make_run(runs / "own", RECORDS, "RUNNING")
        with lock(own.folder):
            tracking.begin(own)
            wait_for(lambda: recall(late.folder, uri) not in (None, DeliveryState()))
            wait_for(lambda: (recall(late.folder, uri) or DeliveryState()).complete)
            end_run(own, "FINISHED")
            assert tracking.end("FINISHED", 60) == ""
    found = stored(runs / "mlflow.db")
    assert {run.name: run.status for run in found} == {"own": "FINISHED", "died": "KILLED", "late": "FINISHED"}
    assert all(run.metrics == rows(RECORDS) for run in found)
    assert [run.ended for run in found] == [RECORDS[-1].time, STARTED + 10_000, found[2].ended]
    for info, status in ((died, "KILLED"), (untracked, "KILLED"), (trained, "RUNNING"), (late, "FINISHED")):
        assert json.loads((info.folder / RUN_FILE).read_text())["status"] == status


def test_processes_wait_for_the_one_that_makes_a_new_store(tmp_path: Path, quick: None) -> None:
    runs = tmp_path / "runs"
    info = make_run(runs / "calm-otter", RECORDS, "RUNNING")
    (runs / ".mlflow.db.part").write_text("half of a store, left by one that was killed")
    with lock_beside(runs / "mlflow.db"), MlflowTracking("default", runs) as tracking:
        tracking.begin(info)
        report = tracking.end("FINISHED", 1)
        assert "has nothing of this run: not done after 1 s" in report
        assert not (runs / "mlflow.db").exists()
    with MlflowTracking("default", runs) as tracking:
        tracking.begin(info)
        assert tracking.end("FINISHED", 60) == ""
    assert [run.metrics for run in stored(runs / "mlflow.db")] == [rows(RECORDS)]
    assert not (runs / ".mlflow.db.part").exists()
