"""An evaluation of a run's own test rows is the test of the run; that of a file with the rows has the same."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.errors import SpecError
from dlrun.runs.run_json import read_run
from dlrun.trained.evaluate import Evaluation, NewLabelledRows, OwnRows, evaluate, texts_of
from dlrun.trained.rows import source_of
from dlrun.trained.run import open_run

BINARY = ("accuracy", "f1", "roc_auc", "log_loss", "brier_score")
CLASSES = ("accuracy", "f1: macro", "balanced_accuracy", "log_loss", "confusion_matrix")
NUMBERS = ("mae", "rmse", "r2")
SPEC = """
data:
  source: {csv: rows.csv}
  target: %s
  split: {validation: 0.2, test: 0.3}
  preprocess: [one_hot: {columns: place}, standardize]
model: {layers: [linear: 8, tanh, %s]}
loss: %s
metrics: [%s]
optimizer: {adam: {lr: 0.02}}
train: {epochs: 5, device: cpu}
tracking: off
baselines: off
"""
CASES = {
    "classes": ("kind", "linear: $classes", "cross_entropy", CLASSES),
    "weighted": ("kind", "linear: $classes", "{cross_entropy: {weight: balanced}}", CLASSES),
    "logs": ("kind", "linear: $classes, log_softmax", "nll", CLASSES),
    "margins": ("kind", "linear: $classes", "multi_margin", ("accuracy",)),
    "logits": ("up", "linear: 1", "binary_cross_entropy", BINARY),
    "the other class": ("up", "linear: 1", "{binary_cross_entropy: {of: yes}}", BINARY),
    "its opposite": ("up", "linear: 1", "{binary_cross_entropy: {of: no}}", (*BINARY, "precision: {of: yes}")),
    "sigmoid": ("up", "linear: 1, sigmoid", "{binary_cross_entropy: {pos_weight: 2}}", BINARY),
    "two classes": ("up", "linear: $classes", "cross_entropy", BINARY),
    "numbers": ("sum", "linear: 1", "mse", NUMBERS),
}


def write_rows(file: Path) -> list[dict[str, Any]]:
    random = np.random.default_rng(2)
    found = []
    for _ in range(300):
        a, b = random.normal(size=2).round(3).tolist()
        kind = "low" if a + b < -0.5 else "high" if a + b > 0.5 else "middle"
        found.append({"a": a, "b": b, "place": str(random.choice(["near", "far"])), "kind": kind})
        found[-1] |= {"up": "yes" if a > b + 0.3 else "no", "sum": round(100 * (a + b), 2)}
    with file.open("w", newline="") as stream:
        writing = csv.DictWriter(stream, list(found[0]))
        writing.writeheader()
        writing.writerows(found)
    return found


def run_of(folder: Path, case: str, *changes: str) -> tuple[Path, list[dict[str, Any]]]:
    rows = write_rows(folder / "rows.csv")
    target, last, loss, metrics = CASES[case]
    layers = ", ".join(last.split(", "))
    (folder / "spec.yaml").write_text(SPEC % (target, layers, loss, ", ".join(metrics)))
    features = "data.features=[a, b, place]"
    scaling = ("data.target_preprocess=[standardize]",) if case == "numbers" else ()
    return dlrun.train(folder / "spec.yaml", features, *scaling, *changes, runs=folder / "runs").folder, rows


def own(folder: Path, split: str = "test") -> Evaluation:
    run = open_run(folder)
    return evaluate(run, OwnRows(run, split))


@pytest.mark.parametrize("case", CASES)
def test_the_figures_of_the_test_rows_are_those_of_the_run(case: str, tmp_path: Path) -> None:
    folder, _ = run_of(tmp_path, case)
    found, told = own(folder), read_run(folder).test
    assert found.metrics.keys() == told.keys()
    for name, value in told.items():
        assert found.metrics[name] == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("case", CASES)
def test_a_file_with_the_same_rows_has_the_same_figures(case: str, tmp_path: Path) -> None:
    folder, rows = run_of(tmp_path, case)
    expected = own(folder)
    with (tmp_path / "new.csv").open("w", newline="") as stream:
        writing = csv.DictWriter(stream, ["sum", "up", "kind", "place", "b", "a"])
        writing.writeheader()
        writing.writerows(rows[row] for row in expected.rows)
    run = open_run(folder)
    found = evaluate(run, NewLabelledRows(run, source_of(run, tmp_path / "new.csv")))
    assert found.rows.tolist() == list(range(len(expected.rows)))
    for name, value in expected.metrics.items():
        assert found.metrics[name] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), name
    ours, theirs = found.answers[0], expected.answers[0]
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-6, atol=1e-7)
    assert ours.true is not None and theirs.true is not None
    np.testing.assert_allclose(ours.true, theirs.true, rtol=1e-6)


@pytest.mark.parametrize("case", ["classes", "logits"])
def test_what_is_true_is_what_the_data_says(case: str, tmp_path: Path) -> None:
    folder, rows = run_of(tmp_path, case)
    (answers,) = own(folder, "validation").answers
    found = own(folder, "validation").rows
    assert answers.true is not None
    assert [answers.labels[number] for number in answers.true] == [rows[row][CASES[case][0]] for row in found]


def test_other_data_than_in_training_is_refused(tmp_path: Path) -> None:
    folder, _ = run_of(tmp_path, "classes")
    text = (tmp_path / "rows.csv").read_text()
    (tmp_path / "rows.csv").write_text(text.replace("near", "far", 1))
    with pytest.raises(SpecError, match=r"the data is not what .* was trained on"):
        own(folder)


def test_a_file_without_the_target_or_with_a_class_of_its_own_is_one_error(tmp_path: Path) -> None:
    folder, _ = run_of(tmp_path, "classes")
    run, text = open_run(folder), (tmp_path / "rows.csv").read_text()
    (tmp_path / "none.csv").write_text(text.replace("kind", "sort", 1))
    with pytest.raises(SpecError, match=r"none.csv lacks the column 'kind', which the run predicts"):
        evaluate(run, NewLabelledRows(run, source_of(run, tmp_path / "none.csv")))
    (tmp_path / "new.csv").write_text(text.replace("middle", "midle", 1))
    with pytest.raises(
        SpecError, match=r"'kind' of new.csv has 'midle', which is no class of the run; did you mean 'middle'"
    ):
        evaluate(run, NewLabelledRows(run, source_of(run, tmp_path / "new.csv")))


def test_a_split_without_rows_is_an_error(tmp_path: Path) -> None:
    folder, _ = run_of(tmp_path, "classes", "data.split={validation: 0.2, test: 0}")
    with pytest.raises(SpecError, match="has no test rows"):
        own(folder)


def test_an_output_that_is_compared_with_the_input_has_no_truth(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("""
data: {source: {sklearn: digits}, preprocess: [minmax]}
model:
  outputs: [digit, image]
  layers:
    - linear: 16
    - relu: {name: trunk}
    - linear: {name: digit, out_features: $classes}
    - input: trunk
    - linear: {name: image, out_features: 64}
loss: [cross_entropy: {output: digit}, mse: {output: image, target: input}]
metrics: [accuracy: {output: digit}]
optimizer: adam
train: {epochs: 2, device: cpu}
tracking: off
baselines: off
""")
    folder = dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs").folder
    found, told = own(folder), read_run(folder).test
    assert [answers.true is None for answers in found.answers] == [False, True]
    assert found.metrics["digit/accuracy"] == pytest.approx(told["digit/accuracy"])
    assert found.metrics["digit/cross_entropy"] == pytest.approx(told["digit/cross_entropy"], rel=1e-5)
    assert not any(name.startswith("image") or name == "loss" for name in found.metrics) and math.isfinite(told["loss"])


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_command_shows_tables_data_and_a_page(tmp_path: Path) -> None:
    folder, rows = run_of(tmp_path, "classes")
    told = read_run(folder).test
    shown = invoke(folder, "--by", "place")
    assert shown.exit_code == 0, shown.output
    for text in ("Classes of kind", "Confusion matrix", "Calibration", "By place", f"{told['accuracy']:.4f}"):
        assert text in shown.output
    done = invoke(folder, "--json", "--html", tmp_path / "page.html", "--by", "place")
    content = json.loads(done.stdout)
    assert content["metrics"]["accuracy"] == pytest.approx(told["accuracy"])
    assert content["of"] == "test rows of the run" and content["rows"] == 90
    page = (tmp_path / "page.html").read_text()
    assert page.startswith("<!doctype html>") and "<svg" in page and folder.name in page
    whole = json.loads(invoke(folder, "--data", tmp_path / "rows.csv", "--json").stdout)
    assert whole["rows"] == len(rows)
    train = json.loads(invoke(folder, "--split", "train", "--json").stdout)
    assert train["rows"] == 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "plce"), "has no column 'plce'; did you mean 'place'?"),
        (("--data", "nowhere.csv"), "there is no file nowhere.csv"),
        (("--html", "nowhere/page.html"), "cannot write nowhere/page.html: there is no folder"),
    ],
)
def test_a_wrong_option_is_one_error(
    arguments: tuple[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = run_of(tmp_path, "classes")
    monkeypatch.chdir(tmp_path)
    done = invoke(folder, *arguments)
    assert isinstance(done.exception, SpecError)
    assert message in str(done.exception)


def test_a_group_is_the_rows_with_one_value_in_a_column(tmp_path: Path) -> None:
    folder, rows = run_of(tmp_path, "classes")
    found, run = own(folder), open_run(folder)
    places = texts_of(run, None, "place")
    assert places.tolist() == [row["place"] for row in rows]
    content = json.loads(invoke(folder, "--by", "place", "--json").stdout)
    (answers,) = found.answers
    assert answers.true is not None
    right = answers.decided == answers.true
    shown = json.dumps(content["groups"])
    for place in ("near", "far"):
        chosen = places[found.rows] == place
        assert str(int(chosen.sum())) in shown
        assert f"{right[chosen].mean():.4f}"[:5] in shown
