"""MLflow gets all of a run, and is never in a run's way."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlrun.tracking import DataSet, Record, RunInfo, Status, delivery
from dlrun.tracking.mlflow import MlflowTracking
from dlrun.tracking.store import locked, sqlite_uri
from dlrun.tracking.view import TAG

TIMEOUT = 120.0
NOWHERE = "http://127.0.0.1:1"
"""Port 1 is for programs of the system; nobody listens there."""


def info(runs: Path, name: str = "calm-otter", **known: Any) -> RunInfo:
    return RunInfo(
        **{
            "name": name,
            "experiment": "digits",
            "description": "",
            "folder": runs / name,
            "started": 1_700_000_000_000,
            **known,
        }
    )


def deliver(runs: Path, run: RunInfo, records: list[Record] | None = None, status: Status = "FINISHED") -> Any:
    """A whole run; gives what MLflow then has of it."""
    tracking = MlflowTracking(None, None, runs)
    tracking.begin(run)
    for record in records or []:
        tracking.record(record)
    assert tracking.end(status, TIMEOUT) == ""
    assert tracking.run_id is not None
    return client(runs).get_run(tracking.run_id)


def client(runs: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=sqlite_uri(runs / "mlflow.db"))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_run_arrives_with_its_name_its_times_and_its_status(tmp_path: Path, status: Status) -> None:
    run = deliver(tmp_path, info(tmp_path, description="**Small** digits"), status=status)
    assert (run.info.run_name, run.info.status, run.info.start_time) == (
        "calm-otter",
        status,
        1_700_000_000_000,
    )
    assert run.info.end_time > 1_700_000_000_000
    assert run.data.tags["mlflow.note.content"] == "**Small** digits"
    experiment = client(tmp_path).get_experiment(run.info.experiment_id)
    assert experiment.name == "digits"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_figures_arrive_under_their_names_with_their_epochs_and_times(tmp_path: Path) -> None:
    records = [
        Record(epoch, 1_700_000_000_000 + epoch, {"train/loss": 1 / epoch, "validation/loss": 2.0})
        for epoch in range(1, 1501)
    ]
    run = deliver(tmp_path, info(tmp_path), records)
    history = client(tmp_path).get_metric_history(run.info.run_id, "train/loss")
    got = sorted((figure.step, figure.timestamp, figure.value) for figure in history)
    assert got == [(epoch, 1_700_000_000_000 + epoch, 1 / epoch) for epoch in range(1, 1501)]
    assert run.data.metrics == {"train/loss": 1 / 1500, "validation/loss": 2.0}


def test_one_record_may_hold_more_figures_than_a_call_takes(tmp_path: Path) -> None:
    run = deliver(tmp_path, info(tmp_path), [Record(1, 1, {f"train/f{number}": 1.0 for number in range(2345)})])
    assert len(run.data.metrics) == 2345


def test_figures_that_are_not_numbers_arrive_too(tmp_path: Path) -> None:
    run = deliver(tmp_path, info(tmp_path), [Record(1, 1, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0})])
    figures = run.data.metrics
    assert math.isnan(figures["a"])
    # SQL stores have no infinity: MLflow keeps the largest double instead.
    assert (figures["b"], figures["c"]) == (sys.float_info.max, -sys.float_info.max)
    assert figures["d"] == 1.0


def test_hundreds_of_settings_arrive_and_long_ones_are_cut(tmp_path: Path) -> None:
    params = {f"model.layers[{number}].linear.out_features": str(number) for number in range(250)}
    params |= {"long": "x" * 9000, "k" * 400: "long name", "../odd key/?": "odd"}
    run = deliver(tmp_path, info(tmp_path, params=params))
    assert len(run.data.params) == 253
    assert run.data.params["model.layers.249.linear.out_features"] == "249"
    assert run.data.params["long"] == "x" * 499 + "…"
    assert run.data.params["k" * 250] == "long name"


def test_hundreds_of_tags_arrive_and_long_ones_are_cut(tmp_path: Path) -> None:
    tags = {f"tag.{number}": str(number) for number in range(230)} | {"long": "x" * 9000, "git.commit": "abc"}
    run = deliver(tmp_path, info(tmp_path, tags=tags))
    assert all(run.data.tags[f"tag.{number}"] == str(number) for number in range(230))
    assert run.data.tags["long"] == "x" * 4999 + "…"
    assert run.data.tags["mlflow.source.git.commit"] == "abc"
    assert run.data.tags["run.folder"] == str(tmp_path / "calm-otter")


def test_the_data_of_a_run_is_its_input(tmp_path: Path) -> None:
    data = DataSet("digits", "0123456789abcdef" * 4, "sklearn:digits", "sklearn", 1797, (1, 8, 8))
    run = deliver(tmp_path, info(tmp_path, data=data))
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", "0123456789ab")
    assert json.loads(used.dataset.source) == {"uri": "sklearn:digits"}
    assert json.loads(used.dataset.profile) == {
        "num_rows": 1797,
        "row_shape": [1, 8, 8],
        "source_type": "sklearn",
    }
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]


def test_texts_are_kept_beside_the_store(tmp_path: Path) -> None:
    runs = tmp_path / "my runs 100%"
    run = deliver(runs, info(runs, texts={"spec.yaml": "name: täst\n", "tables/layers.txt": "conv2d"}))
    kept = runs / "mlflow-artifacts" / run.info.run_id / "artifacts"
    assert (kept / "spec.yaml").read_text(encoding="utf-8") == "name: täst\n"
    assert (kept / "tables" / "layers.txt").read_text(encoding="utf-8") == "conv2d"


def test_what_mlflow_refuses_is_told_and_the_rest_arrives(tmp_path: Path) -> None:
    tracking = MlflowTracking(None, None, tmp_path)
    tracking.begin(info(tmp_path, texts={"../outside.txt": "no", "spec.yaml": "yes"}))
    tracking.record(Record(1, 1, {"train/loss": 1.0}))
    told = tracking.end("FINISHED", TIMEOUT)
    assert "lacks ../outside.txt" in told
    assert "\n" not in told
    run = client(tmp_path).get_run(tracking.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"train/loss": 1.0}
    assert not list(tmp_path.rglob("outside.txt"))


def test_runs_of_an_experiment_come_together_and_a_view_shows_where_they_differ(tmp_path: Path) -> None:
    for name, lr in (("calm-otter", "0.1"), ("brave-fox", "0.01")):
        run = info(tmp_path, name, params={"optimizer.adam.lr": lr, "seed": "7"})
        deliver(tmp_path, run, [Record(1, 1, {"validation/loss": 1.0, "time/epoch": 1.0})])
    experiment = client(tmp_path).get_experiment_by_name("digits")
    assert len(client(tmp_path).search_runs([experiment.experiment_id])) == 2
    view = json.loads(experiment.tags[TAG])
    assert view["name"] == "dlrun"
    assert json.loads(view["state"])["selectedColumns"] == [
        "attributes.`Duration`",
        "metrics.`validation/loss`",
        "params.`optimizer.adam.lr`",
    ]


def test_an_experiment_that_was_deleted_comes_back(tmp_path: Path) -> None:
    first = deliver(tmp_path, info(tmp_path))
    client(tmp_path).delete_experiment(first.info.experiment_id)
    second = deliver(tmp_path, info(tmp_path, "brave-fox"))
    assert second.info.experiment_id == first.info.experiment_id
    assert client(tmp_path).get_experiment(first.info.experiment_id).lifecycle_stage == "active"


def test_a_run_that_goes_on_in_its_folder_is_the_same_run(tmp_path: Path) -> None:
    first = deliver(tmp_path, info(tmp_path, params={"epochs": "1"}), [Record(1, 1, {"loss": 2.0})], "KILLED")
    second = deliver(tmp_path, info(tmp_path, params={"epochs": "2", "more": "x"}), [Record(2, 2, {"loss": 1.0})])
    assert second.info.run_id == first.info.run_id
    assert second.info.status == "FINISHED"
    assert second.data.params == {"epochs": "1", "more": "x"}
    assert len(client(tmp_path).get_metric_history(first.info.run_id, "loss")) == 2


def test_a_store_may_be_named_and_its_texts_are_beside_it(tmp_path: Path) -> None:
    uri = sqlite_uri(tmp_path / "team" / "all.db")
    tracking = MlflowTracking(uri, "ours", tmp_path)
    tracking.begin(info(tmp_path, texts={"spec.yaml": "name: x"}))
    assert tracking.end("FINISHED", TIMEOUT) == ""
    assert (tmp_path / "team" / "all-artifacts" / tracking.run_id / "artifacts" / "spec.yaml").exists()
    assert tracking.where() == uri


def test_figures_arrive_while_the_run_goes_on(tmp_path: Path) -> None:
    tracking = MlflowTracking(None, None, tmp_path)
    tracking.begin(info(tmp_path))
    tracking.record(Record(1, 1, {"train/loss": 1.0}))
    wait_for(lambda: tracking.run_id is not None)
    wait_for(lambda: client(tmp_path).get_run(tracking.run_id).data.metrics == {"train/loss": 1.0})
    assert client(tmp_path).get_run(tracking.run_id).info.status == "RUNNING"
    assert tracking.end("FINISHED", TIMEOUT) == ""


def test_a_server_that_is_away_stops_nothing_and_is_told_of_at_the_end() -> None:
    tracking = MlflowTracking(NOWHERE, None, Path("runs"))
    before = time.monotonic()
    tracking.begin(info(Path("runs")))
    for epoch in range(10_000):
        tracking.record(Record(epoch, epoch, {"train/loss": 1.0}))
    assert time.monotonic() - before < 10
    told = tracking.end("FINISHED", 60)
    assert time.monotonic() - before < 90
    assert told == f"MLflow at {NOWHERE} has nothing of this run: Connection refused"
    assert tracking.run_id is None


def test_a_server_that_comes_late_gets_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LONGEST_PAUSE", 1.0)
    deliver(tmp_path, info(tmp_path, "first"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tracking = MlflowTracking(f"http://127.0.0.1:{port}", None, tmp_path)
    tracking.begin(info(tmp_path, texts={"spec.yaml": "name: x"}))
    tracking.record(Record(1, 1, {"train/loss": 1.0}))
    time.sleep(1)
    program = f"from pathlib import Path; from dlrun.commands.ui import ui; ui({port}, Path({str(tmp_path)!r}))"
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: tracking.run_id is not None)
        tracking.record(Record(2, 2, {"train/loss": math.nan}))
        assert tracking.end("FINISHED", TIMEOUT) == ""
    finally:
        server.terminate()
        server.wait(TIMEOUT)
    run = client(tmp_path).get_run(tracking.run_id)
    assert run.info.status == "FINISHED"
    assert [figure.step for figure in client(tmp_path).get_metric_history(run.info.run_id, "train/loss")] == [
        1,
        2,
    ]
    page = f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?workflowType=machine_learning"
    assert tracking.where() == f"http://127.0.0.1:{port}{page}"


def test_the_end_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    tracking = MlflowTracking(None, None, tmp_path)
    with locked(tmp_path / "mlflow.db"):
        tracking.begin(info(tmp_path))
        tracking.record(Record(1, 1, {"train/loss": 1.0}))
        assert "has nothing of this run: not done after 0.2 s" in tracking.end("KILLED", 0.2)
    # What was late still arrives as long as the process lives.
    assert tracking.end("KILLED", TIMEOUT) == ""


def test_a_password_is_not_shown() -> None:
    tracking = MlflowTracking("http://me:secret@127.0.0.1:1", None, Path("runs"))
    tracking.begin(info(Path("runs")))
    assert "secret" not in tracking.end("FINISHED", 60) + tracking.where()


def test_a_tracking_that_never_began_has_nothing_to_end(tmp_path: Path) -> None:
    assert MlflowTracking(None, None, tmp_path).end("FINISHED", 1) == ""
    assert not list(tmp_path.iterdir())


def test_where_says_the_command_and_what_to_look_for(tmp_path: Path) -> None:
    tracking = MlflowTracking(None, "ours", Path("runs"))
    assert tracking.where() == "dlrun ui"
    elsewhere = MlflowTracking(None, "ours", tmp_path)
    elsewhere.begin(info(tmp_path))
    assert elsewhere.end("FINISHED", TIMEOUT) == ""
    assert elsewhere.where() == f"dlrun ui --runs {tmp_path} (experiment ours, run calm-otter)"


ONE_RUN = """
import sys
from pathlib import Path
from dlrun.tracking import Record, RunInfo
from dlrun.tracking.mlflow import MlflowTracking
runs, name = Path(sys.argv[1]), sys.argv[2]
tracking = MlflowTracking(None, None, runs)
tracking.begin(RunInfo(name, "digits", "", runs / name, 1))
tracking.record(Record(1, 1, {"train/loss": 1.0}))
sys.exit(tracking.end("FINISHED", 120) or 0)
"""


def test_processes_may_begin_at_once_in_a_new_store_and_nothing_is_printed(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_RUN, tmp_path, f"run-{number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(3)
    ]
    printed = [process.communicate(timeout=2 * TIMEOUT)[0] for process in started]
    assert printed == ["", "", ""]
    assert [process.returncode for process in started] == [0, 0, 0]
    experiment = client(tmp_path).get_experiment_by_name("digits")
    runs = client(tmp_path).search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["run-0", "run-1", "run-2"]


def test_a_server_that_is_away_prints_nothing(tmp_path: Path) -> None:
    program = ONE_RUN.replace("MlflowTracking(None,", f"MlflowTracking({NOWHERE!r},").replace("sys.exit(", "print(")
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, "run"], capture_output=True, text=True, timeout=TIMEOUT
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
