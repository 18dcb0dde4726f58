"""Situations that tools like this one got wrong, each as a whole: a spec, its data, a command, and what must come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app

CLASSES = """\
data: {source: {csv: data.csv}, target: y}
model:
  layers: [linear: 4, relu, linear: $classes]
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 2}
tracking: off
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(spec: str, name: str = "spec.yaml") -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(spec, "utf-8")


def table(name: str = "data.csv", rows: int = 60, delimiter: str = ",", **columns: Any) -> None:
    """A csv of three columns of numbers and a target `y`; a column is replaced by a list, one cell by its row."""
    random = np.random.Generator(np.random.PCG64(0))
    cells: dict[str, list[Any]] = {one: random.normal(size=rows).round(3).tolist() for one in "abc"}
    cells["y"] = ["no", "yes"] * (rows // 2)
    for column, given in columns.items():
        if isinstance(given, dict):
            for row, cell in given.items():
                cells[column][row] = cell
        else:
            cells[column] = list(given)
    lines = [cells, *zip(*cells.values(), strict=True)]
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("".join(delimiter.join(map(str, line)) + "\n" for line in lines), "utf-8")


def refused(*overrides: str) -> str:
    with pytest.raises(dlrun.SpecError) as caught:
        dlrun.check("spec.yaml", *overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cells", "way_out"),
    [
        (["True", "False"] * 30, "write 1 and 0 for 'True' and 'False'"),
        (['"0,126"'] * 60, "write '0,126' with a decimal point"),
        (["?", "1"] * 30, "fill in the cell or remove the row"),
    ],
)
def test_a_hint_looks_at_the_cell(cells: list[str], way_out: str) -> None:
    write(CLASSES)
    table(c=cells)
    assert way_out in refused()


def test_a_header_of_another_delimiter_leads_to_it_and_a_tab_may_be_written_in_single_quotes() -> None:
    write(CLASSES)
    table(delimiter=";")
    assert 'delimiter: ";"' in refused()
    dlrun.check("spec.yaml", 'data.source={csv: {path: data.csv, delimiter: ";"}}')
    table(delimiter="\t")
    dlrun.check("spec.yaml", r"data.source={csv: {path: data.csv, delimiter: '\t'}}")


def test_a_monitored_metric_that_is_not_defined_is_said_before_training() -> None:
    write(
        CLASSES.replace("$classes", "1")
        .replace("cross_entropy", "binary_cross_entropy")
        .replace("[accuracy]", "[roc_auc]")
        .replace("{epochs: 2}", "{epochs: 30, early_stopping: {monitor: validation/roc_auc, patience: 3}}")
    )
    table(y=["yes"] * 2 + ["no"] * 58)
    with pytest.raises(dlrun.SpecError, match="validation has no row of yes, so roc_auc is not defined there"):
        dlrun.train("spec.yaml")
    assert not Path("runs").exists()


def test_a_path_starts_from_the_file_that_has_it_also_where_that_is_extended() -> None:
    write(CLASSES, "base/base.yaml")
    table("base/data.csv", rows=60)
    write("extends: ../base/base.yaml\nseed: 3\n", "exp/exp.yaml")
    table("exp/data.csv", rows=30)
    write("extends: base/base.yaml\nseed: 3\n")
    for spec in ("base/base.yaml", "exp/exp.yaml", "spec.yaml"):
        sizes = dlrun.check(spec).sizes
        assert sizes is not None
        assert sizes.train + sizes.validation + sizes.test == 60


def test_a_frozen_batch_norm_stays_as_it_is() -> None:
    layers = "[linear: {out_features: 6, name: trunk}, batch_norm: {name: norm}, relu, linear: $classes]"
    write(CLASSES.replace("[linear: 4, relu, linear: $classes]", layers))
    table()
    first = load_file(dlrun.train("spec.yaml").folder / "best.safetensors")
    table(a=np.linspace(5, 9, 60))
    start = f"model.weights={next(Path('runs').iterdir())}/best.safetensors"
    second = load_file(
        dlrun.train("spec.yaml", start, "model.freeze=[trunk, norm]", "seed=1").folder / "last.safetensors"
    )
    for name, value in first.items():
        assert np.array_equal(value, second[name]) == name.startswith(("trunk", "norm")), name


@pytest.mark.parametrize("mark", ["NA", "?", "nan", "None"])
def test_a_mark_of_a_missing_value_is_no_class(mark: str) -> None:
    write(CLASSES)
    table(y={5: mark})
    assert f"data.csv:7: column 'y' is '{mark}'; a class is expected" in refused()


def test_padding_changes_no_result_wherever_it_is() -> None:
    random = np.random.Generator(np.random.PCG64(0))
    x = random.integers(1, 13, (60, 7))
    x[:, 5:] = 0
    np.savez("data.npz", x=x, y=random.integers(0, 2, 60))
    write(
        """\
data: {source: {npz: data.npz}, features: x, target: y}
model:
  layers:
    - embedding: {num_embeddings: 13, embedding_dim: 8, padding_idx: 0}
    - positional_encoding
    - transformer_encoder_layer: {nhead: 2, dim_feedforward: 16, dropout: 0.0}
    - select: -1
    - linear: $classes
loss: cross_entropy
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 3}
tracking: off
"""
    )
    network = dlrun.load_network(dlrun.train("spec.yaml").folder)
    rows = [[3, 4, 5, 0, 0, 0, 0], [0, 0, 3, 4, 5, 0, 0], [0, 0, 0, 0, 3, 4, 5]]
    first, *others = (network(torch.tensor([row])) for row in rows)
    for other in others:
        assert torch.equal(first, other)


@pytest.mark.parametrize("command", ["check", "params", "draw", "train"])
def test_an_override_may_be_longer_than_the_name_of_a_file(command: str) -> None:
    write(CLASSES)
    table()
    layers = "model.layers=[" + "{linear: 16}, relu, " * 14 + "{linear: $classes}]"
    assert len(layers) > 255
    done = CliRunner().invoke(app, [command, "spec.yaml", layers, "train.epochs=1"])
    assert (done.exit_code, done.exception) == (0, None)


def test_the_store_and_the_experiment_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    write(CLASSES.replace("tracking: off\n", ""))
    table()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/team.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "team")
    done = CliRunner().invoke(app, ["train", "spec.yaml"])
    assert done.exit_code == 0
    assert "team.db" in done.output
    assert Path("team.db").exists()
    assert not Path("runs/mlflow.db").exists()
    assert dlrun.read_run().info.experiment == "team"


def test_a_run_without_a_store_is_delivered_to_the_store_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    write(CLASSES)
    table()
    dlrun.train("spec.yaml")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f" sqlite:///{Path.cwd()}/team.db ")
    done = CliRunner().invoke(app, ["sync", "last"])
    assert (done.exit_code, "team.db" in done.output) == (0, True), done.output
    assert Path("team.db").exists()
    assert not Path("runs/mlflow.db").exists()


@pytest.mark.parametrize("command", ["check", "params", "draw", "train"])
@pytest.mark.parametrize("path", [".", "..", "nowhere.yaml", "nowhere/spec.yaml"])
def test_what_is_no_spec_is_one_error_in_every_command(command: str, path: str) -> None:
    done = CliRunner().invoke(app, [command, path])
    assert isinstance(done.exception, dlrun.SpecError)
    assert "is a folder" in str(done.exception) or "cannot read" in str(done.exception)


def test_a_metric_is_about_the_rarer_class_and_says_so() -> None:
    write(
        CLASSES.replace("$classes", "1")
        .replace("cross_entropy", "binary_cross_entropy")
        .replace("[accuracy]", "[accuracy, f1]")
        .replace("target: y", "target: y, split: {validation: 0.2, test: 0.2, stratify: true}")
    )
    table(rows=200, y=(["abnormal"] + ["normal"] * 9) * 20, a=np.zeros(200), b=np.zeros(200), c=np.zeros(200))
    always = "model.layers=[linear: {out_features: 1, bias_init: {normal: {mean: -9, std: 0.001}}}]"
    done = CliRunner().invoke(app, ["train", "spec.yaml", always])
    assert "f1: of abnormal" in done.output
    run = dlrun.read_run()
    assert run.records[-1].metrics["test/accuracy"] == pytest.approx(0.9)
    assert run.records[-1].metrics["test/f1"] == 0
    other = dlrun.train("spec.yaml", always, "metrics=[f1: {of: normal}]")
    assert other.test["f1"] == pytest.approx(2 * 0.9 / (0.9 + 1))


@pytest.mark.parametrize("scaling", ["", ", target_preprocess: [standardize]"])
def test_targets_far_from_zero_are_measured_as_they_are(scaling: str) -> None:
    from sklearn.metrics import mean_absolute_error, r2_score

    x = np.random.Generator(np.random.PCG64(0)).normal(size=(200, 3)).round(3)
    y = np.round(2460000 + x[:, 0] / 2 + x[:, 1] / 3, 4)
    assert len(set(y.astype(np.float32))) < len(set(y))
    table(rows=200, a=x[:, 0], b=x[:, 1], c=x[:, 2], y=y)
    start = "linear: {out_features: 1, bias_init: {normal: {mean: 2460000, std: 0.001}}}"
    write(
        CLASSES.replace("linear: 4, relu, linear: $classes", "linear: 1" if scaling else start)
        .replace("cross_entropy", "mse")
        .replace("[accuracy]", "[mae, r2]")
        .replace("target: y", f"target: y, preprocess: [standardize]{scaling}")
        .replace("epochs: 2", "epochs: 60")
        .replace("1e-2", "0.1")
    )
    done = CliRunner().invoke(app, ["train", "spec.yaml"])
    assert ("distinct values, and float32 keeps" in done.output) == (not scaling)
    run = dlrun.read_run()
    network = dlrun.load_network(run.info.folder)
    test = np.sort(np.random.Generator(np.random.PCG64(0)).permutation(200)[:30])
    predicted = network(torch.tensor(x[test])).detach().numpy()[:, 0].astype(float)
    found = run.records[-1].metrics
    assert found["test/r2"] > 0.95
    assert found["test/r2"] == pytest.approx(r2_score(y[test], predicted), abs=1e-4)
    assert found["test/mae"] == pytest.approx(mean_absolute_error(y[test], predicted), rel=1e-3)


@pytest.mark.parametrize("last", ["relu", "softplus", "abs", "relu6"])
def test_outputs_that_are_never_negative_are_no_logits(last: str) -> None:
    write(CLASSES.replace("$classes", "1").replace("cross_entropy", "binary_cross_entropy"))
    table()
    said = refused(f"model.layers=[linear: 8, relu, linear: 1, {last}]")
    assert f"the network ends in {last}, whose outputs" in said
    assert "probabilities from 0.5 to 1" in said
    dlrun.check("spec.yaml")


def test_the_indices_of_a_csv_are_its_vocabulary() -> None:
    layers = "[embedding: {num_embeddings: $vocabulary, embedding_dim: 4}, flatten, linear: $classes]"
    write(CLASSES.replace("[linear: 4, relu, linear: $classes]", layers))
    indices = np.arange(60) % 20
    table(a=indices, b=indices, c=indices)
    assert re.search(r"embedding_1\s.*20", CliRunner().invoke(app, ["params", "spec.yaml"]).output)
