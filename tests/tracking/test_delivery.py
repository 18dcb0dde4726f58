"""MLflow gets everything of a run from its folder, once; what it refuses is reported."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from run_folders import STARTED, end_run, epochs, make_run, rows, stored

from dlrun.runs.folder import JOURNAL
from dlrun.runs.info import DataSet, Record, RunInfo, Status
from dlrun.runs.journal import Journal
from dlrun.tracking.delivery import Delivery
from dlrun.tracking.delivery_state import NAME, DeliveryState, recall
from dlrun.tracking.mlflow_view import TAG
from dlrun.tracking.store import sqlite_uri

NOWHERE = "http://127.0.0.1:1"
"""Port 1 is reserved; no server listens there."""


def deliver(runs: Path, info: RunInfo, status: Status = "FINISHED", expected: str = "") -> Any:
    """Deliver a run that has ended; returns the run in MLflow."""
    delivery = Delivery(info.folder, sqlite_uri(runs / "mlflow.db"))
    delivery.finish(status, STARTED + 10_000)
    assert delivery.report() == expected
    found = [run for run in stored(runs / "mlflow.db") if run.name == info.name]
    assert len(found) == 1
    return client(runs).get_run(found[0].id)


def client(runs: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=sqlite_uri(runs / "mlflow.db"))


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_run_arrives_with_its_name_its_times_and_its_status(runs: Path, status: Status) -> None:
    run = deliver(runs, make_run(runs / "calm-otter", description="**Small** digits"), status)
    assert (run.info.run_name, run.info.status) == ("calm-otter", status)
    assert (run.info.start_time, run.info.end_time) == (STARTED, STARTED + 10_000)
    assert run.data.tags["mlflow.note.content"] == "**Small** digits"
    experiment = client(runs).get_experiment(run.info.experiment_id)
    assert experiment.name == "digits"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_name_controls_no_screen(runs: Path) -> None:
    info = make_run(runs / "calm-otter", name="digits target=\x1b[2J\u202e")
    Delivery(info.folder, sqlite_uri(runs / "mlflow.db")).finish("FINISHED", STARTED)
    assert [run.name for run in stored(runs / "mlflow.db")] == ["digits target=\\x1b[2J\\u202e"]


def test_metrics_arrive_under_their_names_with_their_epochs_and_times(runs: Path) -> None:
    records = [
        Record(epoch, 9 * epoch, STARTED + epoch, {"train/loss": 1 / epoch, "validation/loss": 2.0})
        for epoch in range(1, 1501)
    ]
    run = deliver(runs, make_run(runs / "calm-otter", records))
    (found,) = stored(runs / "mlflow.db")
    assert found.metrics == rows(records)
    assert run.data.metrics == {"train/loss": 1 / 1500, "validation/loss": 2.0}


def test_one_record_may_hold_more_metrics_than_a_call_takes(runs: Path) -> None:
    records = [Record(1, 1, 1, {f"train/f{number}": 1.0 for number in range(2345)})]
    assert len(deliver(runs, make_run(runs / "calm-otter", records)).data.metrics) == 2345


def test_metrics_that_are_not_numbers_arrive_too(runs: Path) -> None:
    records = [Record(1, 1, 1, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.0})]
    metrics = deliver(runs, make_run(runs / "calm-otter", records)).data.metrics
    assert math.isnan(metrics["a"])
    # SQL stores have no infinity: MLflow keeps the largest double instead.
    assert (metrics["b"], metrics["c"]) == (sys.float_info.max, -sys.float_info.max)
    assert metrics["d"] == 1.0


def test_hundreds_of_settings_arrive_and_long_ones_are_cut(runs: Path) -> None:
    params = {f"model.layers[{number}].linear.out_features": str(number) for number in range(250)}
    params |= {"long": "x" * 9000, "k" * 400: "long name", "../odd key/?": "odd"}
    run = deliver(runs, make_run(runs / "calm-otter", params=params))
    assert len(run.data.params) == 253
    assert run.data.params["model.layers.249.linear.out_features"] == "249"
    assert run.data.params["long"] == "x" * 499 + "…"
    assert run.data.params["k" * 250] == "long name"


def test_hundreds_of_tags_arrive_and_long_ones_are_cut(runs: Path) -> None:
    tags = {f"tag.{number}": str(number) for number in range(230)} | {"long": "x" * 9000, "git.commit": "abc"}
    run = deliver(runs, make_run(runs / "calm-otter", tags=tags))
    assert all(run.data.tags[f"tag.{number}"] == str(number) for number in range(230))
    assert run.data.tags["long"] == "x" * 4999 + "…"
    assert run.data.tags["mlflow.source.git.commit"] == "abc"
    assert run.data.tags["run.folder"] == str(runs / "calm-otter")


def test_the_data_of_a_run_is_its_input_also_when_it_is_sent_twice(runs: Path) -> None:
    data = DataSet("digits", "0123456789abcdef" * 4, "sklearn:digits", "sklearn", 1797, (1, 8, 8))
    info = make_run(runs / "calm-otter", data=data)
    for _ in range(2):
        (used,) = deliver(runs, info).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", "0123456789ab")
    assert json.loads(used.dataset.source) == {"uri": "sklearn:digits"}
    assert json.loads(used.dataset.profile) == {"num_rows": 1797, "row_shape": [1, 8, 8], "source_type": "sklearn"}
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]


def test_texts_are_kept_beside_the_store_and_nothing_that_a_link_leads_to(runs: Path, tmp_path: Path) -> None:
    odd = tmp_path / "my runs 100%"
    info = make_run(odd / "calm-otter", texts={"spec.yaml": "name: täst\n", "diary.txt": "private"})
    secret = tmp_path / "secret"
    secret.write_text("private")
    (info.folder / "params.txt").symlink_to(secret)
    (odd / "mlflow.db").write_bytes((runs / "mlflow.db").read_bytes())
    run = deliver(odd, info)
    kept = odd / "mlflow-artifacts" / run.info.run_id / "artifacts"
    assert [file.name for file in kept.iterdir()] == ["spec.yaml"]
    assert (kept / "spec.yaml").read_text(encoding="utf-8") == "name: täst\n"


def test_what_mlflow_refuses_is_reported_the_rest_arrives_and_the_next_delivery_tries_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(*_: Any, **__: Any) -> None:
        raise MlflowException.invalid_parameter_value("no texts today")

    monkeypatch.setattr(MlflowClient, "log_text", refuse)
    uri, info = sqlite_uri(runs / "mlflow.db"), make_run(runs / "calm-otter", epochs(2))
    report = f"MLflow at {uri} lacks spec.yaml (no texts today)"
    assert deliver(runs, info, expected=report).info.status == "FINISHED"
    assert recall(info.folder, uri) == DeliveryState(stored(runs / "mlflow.db")[0].id, _size(info), complete=False)
    monkeypatch.undo()
    deliver(runs, info)
    assert recall(info.folder, uri) == DeliveryState(stored(runs / "mlflow.db")[0].id, _size(info), complete=True)


def _size(info: RunInfo) -> int:
    return (info.folder / JOURNAL).stat().st_size


def test_runs_of_an_experiment_come_together_and_a_view_shows_where_they_differ(runs: Path) -> None:
    for name, lr in (("calm-otter", "0.1"), ("brave-fox", "0.01")):
        records = [Record(1, 1, 1, {"validation/loss": 1.0, "test/loss": 1.0, "time/epoch": 1.0})]
        deliver(runs, make_run(runs / name, records, params={"optimizer.adam.lr": lr, "seed": "7"}))
    experiment = client(runs).get_experiment_by_name("digits")
    assert len(client(runs).search_runs([experiment.experiment_id])) == 2
    view = json.loads(experiment.tags[TAG])
    assert view["name"] == "dlrun"
    assert json.loads(view["state"])["selectedColumns"] == [
        "params.`optimizer.adam.lr`",
        "params.`seed`",
        "metrics.`validation/loss`",
        "metrics.`test/loss`",
    ]


def test_metrics_of_the_test_are_bars_beside_those_of_other_runs(runs: Path) -> None:
    """MLflow's pages draw bars for a metric at step 0, and a line, here of one point, for other steps."""
    records = [Record(3, 9, 1, {"validation/loss": 1.0}), Record(3, 9, 2, {"test/loss": 2.0})]
    run = deliver(runs, make_run(runs / "calm-otter", records))
    history = client(runs).get_metric_history
    steps = {name: [one.step for one in history(run.info.run_id, name)] for name in ("validation/loss", "test/loss")}
    assert steps == {"validation/loss": [3], "test/loss": [0]}


def test_an_experiment_or_a_run_that_was_deleted_comes_back(runs: Path) -> None:
    otter, fox = make_run(runs / "calm-otter"), make_run(runs / "brave-fox")
    first = deliver(runs, otter)
    client(runs).delete_run(first.info.run_id)
    client(runs).delete_experiment(first.info.experiment_id)
    assert deliver(runs, fox).info.experiment_id == first.info.experiment_id
    assert deliver(runs, otter).info.run_id == first.info.run_id


def test_a_run_whose_experiment_got_another_name_is_the_same_run(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(2))
    first = deliver(runs, info)
    client(runs).rename_experiment(first.info.experiment_id, "numbers")
    delivery = Delivery(info.folder, sqlite_uri(runs / "mlflow.db"))
    delivery.finish("FINISHED", STARTED)
    assert (delivery.report(), delivery.sent) == ("", 0)
    assert [run.id for run in stored(runs / "mlflow.db", "numbers")] == [first.info.run_id]


def test_a_run_that_is_resumed_in_its_folder_is_the_same_run(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(2), params={"epochs": "2"})
    first = deliver(runs, info, "KILLED")
    with Journal(info.folder / JOURNAL, 0) as journal:
        for record in epochs(4):
            journal.write(record)
    longer = RunInfo(**{**_fields(info), "params": {"epochs": "4", "more": "x"}})
    end_run(longer, "RUNNING")
    delivery = Delivery(info.folder, sqlite_uri(runs / "mlflow.db"))
    assert delivery.attempt()
    assert delivery.sent == len(rows(epochs(2, first=3)))
    (run,) = stored(runs / "mlflow.db")
    assert (run.id, run.status) == (first.info.run_id, "RUNNING")
    delivery.finish("FINISHED", STARTED + 20_000)
    (run,) = stored(runs / "mlflow.db")
    assert (run.id, run.status, run.metrics) == (first.info.run_id, "FINISHED", rows(epochs(4)))
    assert run.params == {"epochs": "2", "more": "x"}  # MLflow takes no second value for a setting


def _fields(info: RunInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in RunInfo.__slots__}


def test_a_run_in_a_folder_with_an_odd_name_is_found_again(runs: Path) -> None:
    info = make_run(runs / 'it\'s a "run" \\ 100%')
    assert deliver(runs, info).info.run_id == deliver(runs, info).info.run_id


def test_two_runs_that_began_in_the_same_moment_are_two(runs: Path) -> None:
    assert deliver(runs, make_run(runs / "a")).info.run_id != deliver(runs, make_run(runs / "b")).info.run_id


def test_what_a_server_made_twice_of_one_run_is_one_in_the_end(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(2))
    first = deliver(runs, info)
    twin = client(runs).create_run(first.info.experiment_id, STARTED, {"run.folder": str(info.folder)}, "calm-otter")
    assert deliver(runs, info).info.run_id == first.info.run_id
    assert client(runs).get_run(twin.info.run_id).info.lifecycle_stage == "deleted"


def test_a_new_store_gets_everything_again(runs: Path, template: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    deliver(runs, info)
    elsewhere = runs.parent / "elsewhere"
    runs.rename(elsewhere)
    runs.mkdir()
    again = RunInfo(**{**_fields(info), "folder": elsewhere / "calm-otter"})
    (runs / "mlflow.db").write_bytes(template.read_bytes())
    # MLflow keeps one connection to a store for good, so that this process would see the old one.
    uri = sqlite_uri(runs / "mlflow.db") + "?mode=rwc"
    (again.folder / NAME).write_text((again.folder / NAME).read_text().replace("mlflow.db", "mlflow.db?mode=rwc"))
    delivery = Delivery(again.folder, uri)
    delivery.finish("FINISHED", STARTED)
    assert delivery.report() == ""
    (run,) = stored(runs / "mlflow.db")
    assert run.metrics == rows(epochs(3))


def test_a_damaged_note_of_what_was_delivered_does_no_harm(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    for note in ("", "[]", '{"a": 1}', "[" * 10_000, json.dumps({sqlite_uri(runs / "mlflow.db"): {"run": 3}})):
        (info.folder / NAME).write_text(note)
        deliver(runs, info)
        assert stored(runs / "mlflow.db")[0].metrics == rows(epochs(3))


def test_a_damaged_journal_is_reported_and_the_lines_before_the_damage_arrive(runs: Path) -> None:
    info = make_run(runs / "calm-otter", epochs(3))
    lines = (info.folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (info.folder / JOURNAL).write_bytes(lines[0] + lines[1].replace(b"0", b"1", 1) + lines[2])
    delivery = Delivery(info.folder, sqlite_uri(runs / "mlflow.db"))
    delivery.finish("FINISHED", STARTED)
    assert "line" in delivery.report() and "damaged" in delivery.report()
    (run,) = stored(runs / "mlflow.db")
    assert (run.status, run.metrics) == ("FINISHED", rows(epochs(1)))


def test_a_server_that_is_away_is_reported_and_a_password_is_not(tmp_path: Path) -> None:
    info = make_run(tmp_path / "calm-otter", epochs(1))
    delivery = Delivery(info.folder, NOWHERE.replace("//", "//me:secret@"))
    delivery.finish("FINISHED", STARTED)
    away = "MLflow at http://me:***@127.0.0.1:1 has nothing of this run: Connection refused"
    assert delivery.report() == away
    assert "secret" not in (info.folder / NAME).read_text()


def test_a_part_of_a_run_is_below_it_whichever_arrives_first(runs: Path) -> None:
    whole = make_run(runs / "folds", [Record(0, 0, STARTED, {"test/accuracy": 0.5, "test/accuracy_std": 0.1})])
    parts = [make_run(whole.folder / f"fold-{number}", name=f"fold={number}", parent=whole.folder) for number in (1, 2)]
    first = deliver(runs, parts[0])
    (begun,) = [run for run in stored(runs / "mlflow.db") if run.name == "folds"]
    assert (begun.status, begun.metrics) == ("FINISHED", [])  # as its folder says
    parent = deliver(runs, whole)
    second = deliver(runs, parts[1])
    for part in (first, second):
        assert part.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert "mlflow.parentRunId" not in parent.data.tags
    assert parent.data.metrics == {"test/accuracy": 0.5, "test/accuracy_std": 0.1}
    assert len(stored(runs / "mlflow.db")) == 3
    assert client(runs).get_run(parent.info.run_id).info.status == "FINISHED"
