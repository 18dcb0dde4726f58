"""`dlrun sync` brings runs to a store: all of them, wherever they were made, and nothing twice."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from run_folders import STARTED, end_run, epochs, make_run, rows, stored

from dlrun.commands.look.sync import sync
from dlrun.errors import RunError, SpecError
from dlrun.runs.lock import lock

RECORDS = epochs(5)
NOWHERE = "http://127.0.0.1:1"


def test_a_second_time_adds_nothing(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = make_run(runs / "calm-otter", RECORDS)
    where = f"sqlite:///{runs}/mlflow.db"
    sync("calm-otter", runs=runs)
    first = stored(runs / "mlflow.db")
    assert capsys.readouterr().out == f"calm-otter: FINISHED, complete in {where}; {len(rows(RECORDS))} values sent\n"
    sync(str(info.folder), runs=Path("elsewhere"))
    assert capsys.readouterr().out == f"calm-otter: FINISHED, complete in {where}; 0 values sent\n"
    (info.folder / "tracking.json").unlink()
    sync("last", runs=runs)
    assert capsys.readouterr().out == f"calm-otter: FINISHED, complete in {where}; {len(rows(RECORDS))} values sent\n"
    assert stored(runs / "mlflow.db") == first
    assert [(run.metrics, run.ended) for run in first] == [(rows(RECORDS), STARTED + 10_000)]


def test_a_run_can_be_in_several_stores(runs: Path, tmp_path: Path, template: Path) -> None:
    make_run(runs / "calm-otter", RECORDS, "FAILED")
    shutil.copy(template, tmp_path / "team.db")
    sync("calm-otter", runs=runs)
    for _ in range(2):
        sync("calm-otter", to=f"sqlite:///{tmp_path}/team.db", runs=runs)
    for file in (runs / "mlflow.db", tmp_path / "team.db"):
        (run,) = stored(file)
        assert (run.status, run.metrics) == ("FAILED", rows(RECORDS))


def test_a_run_that_was_made_elsewhere_is_brought_home_and_a_copy_of_it_is_the_same_run(
    runs: Path, tmp_path: Path
) -> None:
    info = make_run(runs / "calm-otter", RECORDS, tags={"run.folder": "/cluster/runs/calm-otter"})
    note = {"sqlite:////cluster/runs/mlflow.db": {"run": "a" * 32, "journal": 100, "complete": True}}
    (info.folder / "tracking.json").write_text(json.dumps(note))
    sync("calm-otter", runs=runs)
    info.folder.rename(tmp_path / "copy")
    sync(str(tmp_path / "copy"), to=f"sqlite:///{runs}/mlflow.db", runs=runs)
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.metrics) == ("FINISHED", rows(RECORDS))


def test_a_run_that_died_is_killed_and_one_that_is_trained_is_left_alone(runs: Path) -> None:
    info = make_run(runs / "calm-otter", RECORDS, "RUNNING")
    with lock(info.folder), pytest.raises(RunError, match="it is being trained; it is delivered during training"):
        sync("calm-otter", runs=runs)
    assert stored(runs / "mlflow.db") == []
    sync("calm-otter", runs=runs)
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.ended, run.metrics) == ("KILLED", RECORDS[-1].time, rows(RECORDS))
    assert json.loads((info.folder / "run.json").read_text())["status"] == "KILLED"


def test_all_runs_are_delivered_but_those_without_a_tracker(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (2, 1):
        make_run(runs / f"run-{number}", RECORDS, started=STARTED + number, tags={"run.folder": f"/{number}"})
    off = make_run(runs / "off", RECORDS, store=None)
    sync(everything=True, runs=runs)
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == ["off", "run-1", "run-2", "3 runs are delivered"]
    assert printed[0] == "off: has no tracker"
    assert [run.name for run in stored(runs / "mlflow.db")] == ["run-1", "run-2"]
    sync("off", runs=runs)
    assert [run.name for run in stored(runs / "mlflow.db")] == ["off", "run-1", "run-2"]
    end_run(off, "FAILED")
    sync(everything=True, to=f"sqlite:///{runs}/mlflow.db", runs=runs)
    assert [run.status for run in stored(runs / "mlflow.db")] == ["FAILED", "FINISHED", "FINISHED"]


def test_what_cannot_be_delivered_is_an_error_and_the_others_are_delivered(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs / "away", RECORDS, store=NOWHERE)
    make_run(runs / "here", RECORDS)
    with pytest.raises(RunError, match="1 of 2 runs are not completely delivered"):
        sync(everything=True, runs=runs)
    printed = capsys.readouterr()
    assert printed.err == f"error: away: MLflow at {NOWHERE} has nothing of this run: Connection refused\n"
    assert printed.out.startswith("here: FINISHED")


def test_a_run_that_is_not_there_is_an_error_that_names_one_that_is(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there are no runs in .*runs; --runs says where they are"):
        sync("last", runs=runs)
    make_run(runs / "calm-otter", RECORDS)
    with pytest.raises(SpecError, match=r"there is no run calm-oter in .*; did you mean calm-otter"):
        sync("calm-oter", runs=runs)
    with pytest.raises(SpecError, match="is not the folder of a run"):
        sync(str(tmp_path), runs=runs)
    for run, everything in ((None, False), ("last", True)):
        with pytest.raises(SpecError, match="name a run, or all of them with --all"):
            sync(run, everything=everything, runs=runs)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("[1]", "is not a valid run.json"),
        ("{", "is not a valid run.json"),
        ("[" * 100_000, "is not a valid run.json"),
        ({"name": None}, "expected str, got None"),
        ({"params": {"a": 1}}, "expected str, got 1"),
        ({"started": True}, "expected int, got True"),
        ({"status": "GONE"}, "unknown status 'GONE'"),
        ({"data": {}}, "'name' is missing"),
    ],
    ids=lambda content: str(content)[:20],
)
def test_a_run_file_with_other_content_is_an_error(runs: Path, content: Any, wrong: str) -> None:
    file = make_run(runs / "calm-otter", RECORDS).folder / "run.json"
    file.write_text(content if isinstance(content, str) else json.dumps({**json.loads(file.read_text()), **content}))
    with pytest.raises(RunError, match=wrong):
        sync("calm-otter", runs=runs)


def test_the_command_ends_with_1_if_not_all_was_delivered_and_with_2_if_there_is_no_run(runs: Path) -> None:
    make_run(runs / "calm-otter", RECORDS, store=NOWHERE)
    command = [sys.executable, "-m", "dlrun", "sync", "--runs", str(runs)]
    done = subprocess.run([*command, "last"], capture_output=True, text=True)
    printed = f"error: MLflow at {NOWHERE} has nothing of this run: Connection refused\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", printed)
    done = subprocess.run([*command, "fierce-lion"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_run_whose_experiment_was_deleted_is_brought_back(runs: Path) -> None:
    from dlrun.tracking.mlflow_run import client_of

    make_run(runs / "calm-otter", RECORDS)
    sync("calm-otter", runs=runs)
    before = stored(runs / "mlflow.db")
    client = client_of(f"sqlite:///{runs}/mlflow.db")
    client.delete_experiment(client.get_experiment_by_name("digits").experiment_id)  # type: ignore[union-attr]
    sync("calm-otter", runs=runs)
    assert stored(runs / "mlflow.db") == before
    assert client.get_experiment_by_name("digits").lifecycle_stage == "active"  # type: ignore[union-attr]


def test_a_run_on_a_medium_that_is_read_only_is_delivered(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = make_run(tmp_path / "medium" / "calm-otter", RECORDS)
    with lock(info.folder):
        pass
    really_open = os.open

    def open_read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        at = more.get("dir_fd")
        within = at is not None and os.path.samestat(os.fstat(at), info.folder.stat())
        if (within or str(path).startswith(str(info.folder))) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return really_open(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", open_read_only)
    sync(str(info.folder), to=f"sqlite:///{runs}/mlflow.db", runs=runs)
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.metrics) == ("FINISHED", rows(RECORDS))
    assert not (info.folder / "tracking.json").exists()
