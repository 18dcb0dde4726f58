"""The screen of several folds: the means of their baselines, and what is prepared before the first one."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image
from typer.testing import CliRunner

from dlrun import read_run
from dlrun.commands.app import app
from dlrun.runs.baselines import read_comparison

SPEC = """
data: {source: {sklearn: wine}, split: {folds: 3, stratify: true}, preprocess: [standardize]}
model: {layers: [linear: $classes]}
loss: cross_entropy
metrics: [accuracy]
optimizer: adam
train: {epochs: 1}
baselines: [majority]
tracking: off
"""


@pytest.mark.baselines
def test_the_screen_shows_the_mean_of_each_baseline_over_the_folds(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    found = CliRunner().invoke(app, ["train", str(tmp_path / "spec.yaml"), "--runs", str(tmp_path / "runs")])
    assert found.exit_code == 0, found.output
    comparisons = [read_comparison(file.parent) for file in sorted(tmp_path.glob("runs/*/fold-*/baselines.json"))]
    assert len(comparisons) == 3
    kept = [one for one in comparisons if one is not None]
    shown = fmean(one.value(one.results[0], "accuracy") for one in kept)
    assert "test, mean of 3 folds" in found.output
    (line,) = re.findall(r"majority +([\d.]+) +([\d.]+)", found.output)
    assert line[1] == f"{shown:.4f}"
    assert shown == pytest.approx(71 / 178, abs=0.01)  # the largest class of the wines


def test_the_screen_of_folds_has_metrics_of_one_value_and_the_journal_all(tmp_path: Path) -> None:
    spec = SPEC.replace("[accuracy]", "[confusion_matrix, accuracy]").replace("[majority]", "off")
    (tmp_path / "spec.yaml").write_text(spec)
    found = CliRunner().invoke(app, ["train", str(tmp_path / "spec.yaml"), "--runs", str(tmp_path / "runs")])
    assert found.exit_code == 0, found.output
    assert ["test", "loss", "accuracy"] in [line.split() for line in found.output.splitlines()]
    assert "the means of 9 more values are in the run's metrics.jsonl" in found.output
    (run,) = (tmp_path / "runs").iterdir()
    done, wines = read_run(run), [f"class_{number}" for number in range(3)]
    rows = [done.metric(f"test/confusion_matrix/{true}/{answer}") for true in wines for answer in wines]
    assert sum(one[0] for one in rows) == pytest.approx(178 / 3)  # the wines, each in one of three tests


def test_metrics_of_folds_that_do_not_fit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlrun.commands.screen.width", lambda *_, **__: 60)
    metrics = "[accuracy, balanced_accuracy, top_k_accuracy, average_precision, log_loss]"
    (tmp_path / "spec.yaml").write_text(SPEC.replace("[accuracy]", metrics).replace("[majority]", "off"))
    found = CliRunner().invoke(app, ["train", str(tmp_path / "spec.yaml"), "--runs", str(tmp_path / "runs")])
    assert found.exit_code == 0, found.output
    lines = [line.split() for line in found.output.splitlines()]
    assert ["test", "loss", "accuracy", "balanced_accuracy"] in lines
    assert "the means of 3 more values are in the run's metrics.jsonl" in found.output
    assert [len(line) for line in lines if line[:1] in (["mean"], ["std"])] == [4, 4]


def test_the_screen_says_once_that_images_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "cache"))
    for number in range(24):
        file = tmp_path / "set" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 * number).save(file)
    spec = SPEC.replace("{sklearn: wine}", "{images: set}").replace("[standardize]", "[minmax]")
    (tmp_path / "spec.yaml").write_text(spec.replace("layers: [", "layers: [flatten, "))
    arguments = ["train", str(tmp_path / "spec.yaml"), "--runs", str(tmp_path / "runs"), "baselines=[]"]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    assert found.output.count("  cache   decoding 24 images of set") == 1
