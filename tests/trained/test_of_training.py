"""A training ends with the evaluation on its test rows: in its folder, on the screen and in MLflow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from places import SPECS
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.errors import RunError
from dlrun.runs import folder as run_folder
from dlrun.trained import of_training

QUICK = ("train.epochs=2", "baselines=off")


def test_the_folder_of_a_run_has_a_page_its_data_tables_and_plots(tmp_path: Path) -> None:
    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, "tracking=off", runs=tmp_path)
    place = done.folder / "evaluation"
    assert sorted(path.name for path in place.iterdir()) == [
        *("calibration.svg", "calibration.table.json", "classes_of_cultivar.table.json", "confusion_matrix.table.json"),
        *("highest_loss.table.json", "metrics.table.json", "precision_and_recall.svg", "report.html", "report.json"),
        *("roc.svg", "wrong_with_the_highest_probability.table.json"),
    ]
    data = json.loads((place / "report.json").read_text())
    assert data["metrics"]["accuracy"] == done.test["accuracy"]
    table = json.loads((place / "metrics.table.json").read_text())
    assert table["columns"] == ["metric", "value"] and [row[0] for row in table["data"]] == list(done.test)
    for file in place.glob("*.svg"):
        text = file.read_text()
        ElementTree.fromstring(text)
        assert "var(--" not in text and ("grower_3" in text) == (file.name != "calibration.svg")


def test_a_training_ends_with_a_short_form_of_it(tmp_path: Path) -> None:
    command = ["train", str(SPECS / "wine_mlp.yaml"), *QUICK, "tracking=off", "--runs", str(tmp_path)]
    screen = CliRunner().invoke(app, command).output
    assert "of 36 rows wrong" in screen and "most certain error: row " in screen
    assert "Metrics" not in screen


def test_outputs_that_would_take_too_much_memory_are_left_to_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_training, "MOST_NUMBERS", 100)
    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, "tracking=off", runs=tmp_path)
    assert not (done.folder / "evaluation").exists()


def test_the_second_evaluation_replaces_the_first_and_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    run = tmp_path / "run"
    run.mkdir()
    (run / "evaluation").symlink_to(outside)
    assert not run_folder.evaluations_of(run)
    run_folder.write_evaluation(run, "test", {"a": "1", "b": "2"})
    place = run_folder.write_evaluation(run, "test", {"a": "3"})
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("a", "3")]
    assert [path.name for path in run.iterdir()] == ["evaluation"]
    assert (outside / "mine.txt").read_text() == "mine"


def test_a_run_is_complete_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RunError("cannot write it: No space left on device")

    monkeypatch.setattr(run_folder, "write_evaluation", full)
    command = ["train", str(SPECS / "wine_mlp.yaml"), *QUICK, "tracking=off", "--runs", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0 and "cannot write it: No space left on device" in " ".join(result.output.split())


def test_an_evaluation_of_other_rows_is_kept_and_sent_on_demand(runs: Path) -> None:
    from mlflow import MlflowClient

    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, runs=runs)
    command = ["evaluate", str(done.folder), "--split", "validation", "--track", "--json"]
    result = CliRunner().invoke(app, command)
    assert json.loads(result.stdout)["of"] == "validation rows of the run" and "complete in" in result.stderr
    assert (done.folder / "evaluation-validation" / "report.html").is_file()
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert {"evaluation", "evaluation-validation"} <= {one.path for one in client.list_artifacts(run.info.run_id)}
    assert any(one["path"].startswith("evaluation-") for one in json.loads(run.data.tags["mlflow.loggedArtifacts"]))


def test_the_evaluation_of_a_file_is_not_taken_for_that_of_the_test_rows(tmp_path: Path) -> None:
    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, "tracking=off", runs=tmp_path / "runs")
    before = (done.folder / "evaluation" / "report.json").read_bytes()
    shutil.copy(SPECS / "wine.csv", tmp_path / "test.csv")
    command = ["evaluate", str(done.folder), "--data", str(tmp_path / "test.csv"), "--track"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (done.folder / "evaluation" / "report.json").read_bytes() == before
    assert json.loads((done.folder / "evaluation-test.csv" / "report.json").read_text())["rows"] == 178


def test_mlflow_has_the_page_the_plots_and_the_tables(runs: Path) -> None:
    from mlflow import MlflowClient

    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, runs=runs)
    assert not done.undelivered
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    paths = [one.path for one in client.list_artifacts(run.info.run_id, "evaluation")]
    assert {"evaluation/report.html", "evaluation/roc.svg", "evaluation/confusion_matrix.table.json"} <= set(paths)
    tables = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert {one["path"] for one in tables} == {path for path in paths if path.endswith(".table.json")}
    assert {one["type"] for one in tables} == {"table"}
