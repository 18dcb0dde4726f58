"""Targets of numbers are scaled for the loss, and measured and predicted in their own units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score

import dlrun
from dlrun.errors import SpecError
from dlrun.runs import folder as run_folder

SPEC = """
data: {{source: {{csv: data.csv}}, target: {target}, preprocess: [standardize], target_preprocess: [{step}]}}
model:
  layers: [linear: {outputs}]
loss: mse
metrics: [mae, mse, r2]
optimizer: {{adam: {{lr: 0.1}}}}
train: {{epochs: 20}}
tracking: off
"""


def table(folder: Path, rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Features, and two targets: Julian dates, and small numbers."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 2))
    y = np.stack((2460000 + x @ [1.0, 0.3], 1e-6 * (x @ [0.2, -1.0])), 1)
    lines = ["a,b,date,small", *(",".join(map(repr, map(float, (*p, *q)))) for p, q in zip(x, y, strict=True))]
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    return x, y


def spec(folder: Path, target: str = "[date, small]", step: str = "standardize", outputs: int = 2) -> Path:
    file = folder / "spec.yaml"
    features = "" if outputs == 2 else ", features: [a, b]"
    text = SPEC.format(target=target, step=step, outputs=outputs)
    file.write_text(text.replace(", preprocess", features + ", preprocess", 1))
    return file


@pytest.mark.parametrize(
    "step",
    [
        *("standardize", "minmax", "minmax: {feature_range: [-3, 5]}", "minmax, standardize"),
        *("robust", "log1p, standardize", "quantile: normal"),
    ],
)
@pytest.mark.parametrize("outputs", [1, 2])
def test_metrics_and_predictions_are_those_of_the_numbers_in_the_file(tmp_path: Path, step: str, outputs: int) -> None:
    x, y = table(tmp_path)
    target = "[date, small]" if outputs == 2 else "date"
    outcome = dlrun.train(spec(tmp_path, target, step, outputs), runs=tmp_path / "runs")
    test = np.sort(np.random.Generator(np.random.PCG64(0)).permutation(120)[:18])  # as docs/language.md says
    predicted = dlrun.load_network(outcome.folder)(torch.tensor(x[test]))
    assert predicted.dtype == torch.float64
    expected = y[test][:, :outputs]
    assert outcome.test["mae"] == pytest.approx(mean_absolute_error(expected, predicted.detach()), rel=1e-6)
    assert outcome.test["r2"] == pytest.approx(r2_score(expected, predicted.detach()), rel=1e-6)
    assert outcome.test["r2"] > 0.9
    assert outcome.test["loss"] < 1


def test_the_loss_is_in_scaled_units(tmp_path: Path) -> None:
    _, y = table(tmp_path)
    outcome = dlrun.train(spec(tmp_path, "date", outputs=1), "optimizer.adam.lr=1e-30", runs=tmp_path / "runs")
    order = np.random.Generator(np.random.PCG64(0)).permutation(120)
    deviation = y[np.sort(order[36:]), 0].std()
    assert outcome.test["mse"] == pytest.approx(outcome.test["loss"] * deviation**2, rel=1e-4)


def test_without_scaling_metrics_compare_with_the_numbers_of_the_file(tmp_path: Path) -> None:
    x, y = table(tmp_path)
    overrides = (
        "data.target_preprocess=[]",
        "model.layers=[linear: {out_features: 1, bias_init: {normal: {mean: 2460000, std: 0.01}}}]",
    )
    outcome = dlrun.train(spec(tmp_path, "date", outputs=1), *overrides, runs=tmp_path / "runs")
    test = np.sort(np.random.Generator(np.random.PCG64(0)).permutation(120)[:18])
    predicted = dlrun.load_network(outcome.folder)(torch.tensor(x[test])).detach().double()
    assert outcome.test["mae"] == pytest.approx(mean_absolute_error(y[test][:, :1], predicted), rel=1e-9)


@pytest.mark.parametrize("step", ["pca: 1", "lda", "zca", "clip: 0", "resize: 2", "one_hot"])
def test_steps_that_cannot_be_undone_are_refused(tmp_path: Path, step: str) -> None:
    table(tmp_path)
    with pytest.raises(SpecError, match="could not be computed back"):
        dlrun.check(spec(tmp_path, step=step))


def test_a_run_resumed_with_scaled_targets_ends_in_the_same_bits(tmp_path: Path) -> None:
    from dlrun.checks.check import check
    from dlrun.tracking.open import open_tracking
    from dlrun.training.lifecycle.resume import resume

    table(tmp_path)
    file = spec(tmp_path)
    whole = dlrun.train(file, runs=tmp_path / "whole")
    part = dlrun.train(file, "train.epochs=9", runs=tmp_path / "part")
    longer = check(part.folder / run_folder.RESOLVED, ["train.epochs=20"], training=True)
    with open_tracking(longer.experiment.tracking, tmp_path / "part") as tracking:
        from dlrun.api import _Silent

        resumed = resume(part.folder, longer, _Silent(), tracking)
    assert resumed.test == whole.test
    assert (part.folder / run_folder.BEST).read_bytes() == (whole.folder / run_folder.BEST).read_bytes()


def test_a_target_that_a_step_is_not_defined_for_is_named_with_its_row(tmp_path: Path) -> None:
    table(tmp_path)
    lines = (tmp_path / "data.csv").read_text().splitlines()
    test = int(np.random.Generator(np.random.PCG64(0)).permutation(120)[0])
    for row in (test, 1 if test != 1 else 2):
        changed = [*lines]
        changed[row + 1] = changed[row + 1].rsplit(",", 1)[0] + ",-3"
        (tmp_path / "data.csv").write_text("\n".join(changed) + "\n")
        with pytest.raises(SpecError) as caught:
            dlrun.train(spec(tmp_path, step="log1p"), runs=tmp_path / "runs")
        assert f"the target of row {row} holds -3; log1p takes numbers above -1" in str(caught.value)


def test_columns_are_not_for_the_target(tmp_path: Path) -> None:
    table(tmp_path)
    with pytest.raises(SpecError, match="'columns' names columns of the features"):
        dlrun.check(spec(tmp_path, step="robust: {columns: a}"))
