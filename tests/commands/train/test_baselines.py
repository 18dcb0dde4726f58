"""What `dlrun train` and `dlrun resume` show of the baselines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlrun.commands.app import app
from dlrun.commands.train.baselines import show_comparison
from dlrun.runs.baselines import BaselineResult, Comparison, read_comparison
from dlrun.training.baselines.compare import Comparing
from dlrun.training.baselines.worker import Stopped

SPEC = """
data: {source: {sklearn: diabetes}, preprocess: [standardize], target_preprocess: [standardize]}
model: {layers: [linear: 1]}
loss: mse
metrics: [mae]
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, device: cpu}
baselines: [mean, affine_mmse]
tracking: off
"""


def test_the_figures_are_a_table_with_what_cannot_be_in_it_below(capsys: pytest.CaptureFixture[str]) -> None:
    results = (
        BaselineResult("mean", {}, 1, 2, {"validation/loss": 9.0, "test/loss": 0.5, "test/r2": -0.01}),
        BaselineResult("affine_mmse", {}, 2, 3, {"train/mmse": 0.25, "test/loss": 0.25, "test/r2": math.nan}),
        BaselineResult("gradient_boosting", {}, 3, 4, trouble="not done after 10 s"),
        BaselineResult("k_nearest_neighbors", {}, 4, 5, {"test/loss": 0.75, "test/r2": 0.5}, remark="beware"),
    )
    show_comparison(
        Comparison("test", 30, {"loss": 0.3, "r2": 0.4}, results, "Worth it: ...", True), {"loss": False, "r2": True}
    )
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line.split() for line in lines if line and "─" not in line] == [
        ["test,", "30", "rows", "loss", "r2"],
        ["network", "0.3000", "0.4000"],
        ["mean", "0.5000", "-0.0100"],
        ["affine_mmse", "0.2500", "-"],
        ["k_nearest_neighbors", "0.7500", "0.5000"],
        ["affine_mmse:", "train/mmse", "0.2500"],
        ["gradient_boosting:", "not", "done", "after", "10", "s"],
        ["k_nearest_neighbors:", "beware"],
        ["Worth", "it:", "..."],
    ]


def test_figures_that_do_not_fit_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlrun.commands.screen.width", lambda: 50)
    values = {"loss": 0.5, "accuracy": 0.25, "balanced_accuracy": 0.125, "f1": 0.75}
    results = (BaselineResult("majority", {}, 1, 2, {f"test/{name}": value for name, value in values.items()}),)
    show_comparison(Comparison("test", 30, values, results), dict.fromkeys(values, True))
    lines = capsys.readouterr().out.splitlines()
    assert ["test,", "30", "rows", "loss", "accuracy"] in [line.split() for line in lines]
    assert max(map(len, lines)) <= 50
    assert "  2 more of each are in baselines.json of the run" in lines


BETTER = {"loss": False, "r2": True, "mae": False}


def test_the_best_of_each_column_is_bold_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[set[tuple[int, int]]] = []
    monkeypatch.setattr("dlrun.commands.screen.table", lambda *_, strong, **__: shown.append(strong))
    results = (BaselineResult("mean", {}, 1, 2, {"test/loss": 0.5, "test/r2": 0.9, "test/mae": math.nan}),)
    show_comparison(Comparison("test", 30, {"loss": 0.3, "r2": 0.4, "mae": math.nan}, results), BETTER)
    assert shown == [{(0, 1), (1, 2)}]


def test_baselines_that_were_skipped_are_computed_by_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(SPEC)

    def skipped(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Comparing, "run", skipped)
        done = CliRunner().invoke(app, ["train", "spec.yaml"])
    assert done.exit_code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert f"note: the baselines are not complete; `dlrun resume runs/{run.name}` computes them" in done.stderr
    resumed = CliRunner().invoke(app, ["resume", "last"])
    assert resumed.exit_code == 0, resumed.output
    found = read_comparison(run)
    assert found is not None and found.complete and found.verdict in resumed.stdout
    assert f"{run.name} is complete, after epoch 2" in resumed.stdout
    again = CliRunner().invoke(app, ["resume", "last"])
    assert found.verdict not in again.stdout
