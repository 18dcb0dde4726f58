"""The network of a run in MLflow: without a pickle, and, once downloaded, a run that predicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from places import SPECS
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.commands.look.sync import deliver
from dlrun.tracking.mlflow_run import MlflowRun

QUICK = ("train.epochs=2", "baselines=off")


def the_run(runs: Path) -> tuple[MlflowClient, str]:
    client = MlflowClient(f"sqlite:///{runs / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run.info.run_id


def test_the_downloaded_network_predicts_as_the_run_does(runs: Path, tmp_path: Path) -> None:
    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, runs=runs)
    client, run_id = the_run(runs)
    assert {one.path for one in client.list_artifacts(run_id)} >= {"network", "network.svg", "params.txt", "spec.yaml"}
    there = Path(client.download_artifacts(run_id, "network", str(tmp_path)))
    assert sorted(path.name for path in there.iterdir()) == [
        *("best.safetensors", "columns.json", "labels.json", "preprocess.safetensors", "resolved.yaml", "run.json"),
    ]
    answers = [
        CliRunner().invoke(app, ["predict", str(folder), str(SPECS / "wine.csv")]) for folder in (done.folder, there)
    ]
    assert answers[0].exit_code == 0 and answers[0].stdout == answers[1].stdout


def test_it_is_sent_again_only_where_it_has_changed(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, runs=runs)
    sent = []
    monkeypatch.setattr(MlflowRun, "log_file", lambda self, folder, file: sent.append(file.name))
    deliver(done.folder)
    assert not sent
    (done.folder / "best.safetensors").write_bytes((done.folder / "last.safetensors").read_bytes() + b" ")
    deliver(done.folder)
    assert "best.safetensors" in sent


def test_a_link_in_its_place_is_not_followed(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = dlrun.train(SPECS / "wine_mlp.yaml", *QUICK, runs=runs)
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (done.folder / "labels.json").unlink()
    (done.folder / "labels.json").symlink_to(secret)
    sent = []
    monkeypatch.setattr(MlflowRun, "log_file", lambda self, folder, file: sent.append(file.name))
    deliver(done.folder)
    assert sent and "labels.json" not in sent
