"""What a spec says under `tracking` becomes a Tracking."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlrun.components.trackers.mlflow import Mlflow
from dlrun.components.trackers.off import Off
from dlrun.tracking import Record, RunInfo
from dlrun.tracking.mlflow import MlflowTracking
from dlrun.tracking.opening import NoTracking, open_tracking


def test_without_a_tracker_runs_are_in_the_store_under_runs(tmp_path: Path) -> None:
    tracking = open_tracking(None, "digits", tmp_path)
    assert isinstance(tracking, MlflowTracking)
    assert tracking.where() == f"dlrun ui --runs {tmp_path}"
    assert not list(tmp_path.iterdir())


def test_a_tracker_may_name_its_store(tmp_path: Path) -> None:
    tracking = open_tracking(Mlflow(uri="http://localhost:5000/", experiment="ours"), "digits", tmp_path)
    assert isinstance(tracking, MlflowTracking)
    assert tracking.where() == "http://localhost:5000"


@pytest.mark.parametrize(("tracker", "experiment"), [(Mlflow(experiment="ours"), "ours"), (Mlflow(), "digits")])
def test_the_experiment_is_the_trackers_or_else_the_specs(tmp_path: Path, tracker: Mlflow, experiment: str) -> None:
    tracking = open_tracking(tracker, "digits", tmp_path)
    tracking.begin(RunInfo("calm-otter", "digits", "", tmp_path / "calm-otter", 1))
    assert tracking.end("FINISHED", 120) == ""
    assert f"(experiment {experiment}, run calm-otter)" in tracking.where()


def test_off_keeps_nothing(tmp_path: Path) -> None:
    tracking = open_tracking(Off(), "digits", tmp_path)
    assert isinstance(tracking, NoTracking)
    tracking.begin(RunInfo("calm-otter", "digits", "", tmp_path, 1))
    tracking.record(Record(1, 1, {"train/loss": 1.0}))
    assert (tracking.end("FINISHED", 1), tracking.where()) == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["dlrun.tracking.mlflow", "dlrun.tracking.opening", "dlrun.commands.ui"])
def test_nothing_slow_is_imported_before_a_run_begins(module: str) -> None:
    program = f"import sys, {module}\nprint(sorted({{'mlflow', 'torch', 'pandas', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
