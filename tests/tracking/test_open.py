"""The section `tracking` of a spec becomes a Tracking."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlrun.components.trackers.mlflow import Mlflow
from dlrun.components.trackers.off import Off
from dlrun.errors import SpecError
from dlrun.runs.info import RunInfo
from dlrun.tracking.mlflow_tracking import MlflowTracking
from dlrun.tracking.open import NoTracking, experiment_of, open_tracking, store_of
from dlrun.tracking.store import address


def test_without_a_tracker_runs_are_in_the_store_under_runs(tmp_path: Path) -> None:
    tracking = open_tracking(None, tmp_path)
    assert isinstance(tracking, MlflowTracking)
    assert (tracking.where(), store_of(None)) == (f"dlrun ui --runs {tmp_path}", "default")
    assert open_tracking(Mlflow(), Path("runs")).where() == "dlrun ui"
    assert not list(tmp_path.iterdir())


def test_a_tracker_may_name_its_store(tmp_path: Path) -> None:
    tracking = open_tracking(Mlflow(uri="http://localhost:5000/", experiment="ours"), tmp_path)
    assert isinstance(tracking, MlflowTracking)
    assert tracking.where() == "http://localhost:5000"


def test_a_file_that_is_named_is_the_same_wherever_a_later_command_runs() -> None:
    assert store_of(Mlflow(uri="sqlite:///team/all.db")) == f"sqlite:///{Path.cwd()}/team/all.db"


@pytest.mark.parametrize(
    ("tracker", "experiment"), [(Mlflow(experiment="ours"), "ours"), (Mlflow(), "digits"), (None, "digits")]
)
def test_the_experiment_is_the_trackers_or_else_the_specs(tracker: Mlflow | None, experiment: str) -> None:
    assert experiment_of(tracker, "digits") == experiment


def test_off_keeps_nothing(tmp_path: Path) -> None:
    with open_tracking(Off(), tmp_path) as tracking:
        assert isinstance(tracking, NoTracking)
        tracking.begin(RunInfo("calm-otter", "digits", "", tmp_path, 1))
        assert (tracking.end("FINISHED", 1), tracking.where()) == ("", "")
    assert store_of(Off()) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "module",
    [
        "dlrun.tracking.mlflow_tracking",
        "dlrun.tracking.open",
        "dlrun.tracking.delivery_process",
        "dlrun.commands.look.sync",
    ],
)
def test_nothing_slow_is_imported_before_it_is_needed(module: str) -> None:
    program = f"import sys, {module}\nprint(sorted({{'mlflow', 'torch', 'pandas', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_environment_names_the_store_and_the_experiment_where_the_spec_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "team")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for uri, store in {
        "sqlite:///team.db": f"sqlite:///{tmp_path}/team.db",
        "http://localhost:5000": "http://localhost:5000",
        "http://me:secret@host": "http://me:***@host",
        "mlruns": f"{tmp_path}/mlruns",
        "file:mlruns": f"file://{tmp_path}/mlruns",
        "file:///mlruns": "file:///mlruns",
        "databricks": "databricks",
        "": "default",
    }.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        for tracker in (None, Mlflow()):
            assert (store_of(tracker), experiment_of(tracker, "digits")) == (store, "team")
        assert store_of(Off()) is None
        named = Mlflow(uri="http://own", experiment="ours")
        assert (store_of(named), experiment_of(named, "digits")) == ("http://own", "ours")


def test_a_password_of_the_environment_is_used_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host")
    store = store_of(None)
    assert store is not None and "secret" not in store
    assert address(store, Path("runs")) == "http://me:secret@host"


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///:memory:?x=1"])
def test_a_store_in_memory_is_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"`tracking` names sqlite:.*gone when the process ends"):
        store_of(Mlflow(uri=uri))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(SpecError, match="MLFLOW_TRACKING_URI names sqlite:"):
        store_of(None)


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "/data/mlruns", "file:mlruns", "file:///data/mlruns"])
def test_a_folder_of_files_is_refused_where_mlflow_refuses_it(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.file_store import FileStore

    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(MlflowException, match="MLFLOW_ALLOW_FILE_STORE"):
        FileStore(uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(SpecError, match="no store of files in a folder") as caught:
        store_of(None)
    assert "use a database, such as sqlite:///mlflow.db" in str(caught.value)


def test_a_run_or_an_experiment_by_its_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")
    with pytest.raises(SpecError, match="set MLFLOW_EXPERIMENT_NAME to its name"):
        experiment_of(None, "digits")
    assert experiment_of(Mlflow(experiment="ours"), "digits") == "ours"
    assert experiment_of(Off(), "digits") == "digits"
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    with pytest.raises(SpecError, match="unset MLFLOW_RUN_ID"):
        store_of(Mlflow())
    assert store_of(Off()) is None
