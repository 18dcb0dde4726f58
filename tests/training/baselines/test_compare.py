"""A run beside its baselines: the same rows, the same loss and metrics, and no bit of the run changes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn import metrics
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from watching import Silent

import dlrun
from dlrun.checks.check import check
from dlrun.components.baselines import BaselineError
from dlrun.data.batches import Batch
from dlrun.data.rows import InMemory
from dlrun.language.component import choose
from dlrun.plan.baselines import baselines
from dlrun.plan.losses import term
from dlrun.runs.baselines import NAME, Comparison, has_unfinished, read_comparison
from dlrun.runs.run_json import read_run
from dlrun.tracking.open import NoTracking
from dlrun.training.baselines import compare as comparing
from dlrun.training.baselines.worker import Worker
from dlrun.training.lifecycle.resume import finish_baselines, resume
from dlrun.training.lifecycle.run import Outcome

ROWS = 120
TEST, VALIDATION = slice(0, 18), slice(18, 36)
"""Of the permutation of rows."""
HEAD = "data: {source: {csv: rows.csv}, features: [a, b], preprocess: [standardize], "
CLASSES = (
    HEAD
    + """target: class}
model: {layers: [linear: $classes]}
loss: cross_entropy
metrics: [accuracy, f1]
"""
)
YES = (
    HEAD
    + """target: yes}
model: {layers: [linear: 1, sigmoid]}
loss: {binary_cross_entropy: {of: "y"}}
metrics: [roc_auc]
"""
)
NUMBERS = (
    HEAD
    + """target: [u, v], target_preprocess: [standardize]}
model: {layers: [linear: 2]}
loss: mse
metrics: [mae, r2]
"""
)
REST = "optimizer: {adam: {lr: 0.05}}\ntrain: {epochs: 2, device: cpu}\ntracking: off\n"


def table() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.normal(5, [1, 100], size=(ROWS, 2))
    signal_ = (x[:, 0] - 5) + (x[:, 1] - 5) / 100 + random.normal(size=ROWS)
    return {
        "x": x,
        "class": np.digitize(signal_, [-0.5, 0.5]),
        "yes": signal_ > 0.4,
        "y": np.stack([1000 + 50 * signal_, 3 * x[:, 0] + 1], axis=1),
    }


def write(folder: Path, data: dict[str, np.ndarray]) -> None:
    lines = ["a,b,class,yes,u,v"]
    for (a, b), kind, yes, (u, v) in zip(data["x"], data["class"], data["yes"], data["y"], strict=True):
        lines.append(f"{a!r},{b!r},{'pqr'[kind]},{'ny'[int(yes)]},{u!r},{v!r}")
    (folder / "rows.csv").write_text("\n".join(lines).replace("np.float64(", "").replace(")", "") + "\n")


def train(folder: Path, text: str, *overrides: str) -> Outcome:
    (folder / "spec.yaml").write_text(text + REST)
    if not (folder / "rows.csv").exists():
        write(folder, table())
    return dlrun.train(folder / "spec.yaml", *overrides, runs=folder / "runs")


def compared(outcome: Outcome) -> Comparison:
    found = read_comparison(outcome.folder)
    assert found is not None and found == outcome.comparison and found.complete
    return found


def splits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows for training, validation and test, as the language page says."""
    order = np.random.Generator(np.random.PCG64(0)).permutation(ROWS)
    test, validation = np.sort(order[TEST]), np.sort(order[VALIDATION])
    return np.setdiff1d(np.arange(ROWS), order[:36]), validation, test


def scaled() -> np.ndarray:
    x = table()["x"]
    return np.asarray(StandardScaler().fit(x[splits()[0]]).transform(x), np.float32)


def test_classes_are_measured_as_scikit_learn_measures_them(tmp_path: Path) -> None:
    found = compared(train(tmp_path, CLASSES, "baselines=[logistic_regression, k_nearest_neighbors: 3]"))
    x, y, (fit, validation, test) = scaled(), table()["class"], splits()
    model = LogisticRegression(max_iter=1000).fit(x[fit], y[fit])
    expected = {}
    for name, rows in (("validation", validation), ("test", test)):
        expected[f"{name}/loss"] = metrics.log_loss(y[rows], model.predict_proba(x[rows]))
        expected[f"{name}/accuracy"] = metrics.accuracy_score(y[rows], model.predict(x[rows]))
        expected[f"{name}/f1"] = metrics.f1_score(y[rows], model.predict(x[rows]), average="macro")
    logistic, nearest = found.results
    assert logistic.metrics == pytest.approx(expected, rel=1e-5)
    assert (nearest.name, nearest.settings["n_neighbors"], nearest.settings["rows"]) == (
        "k_nearest_neighbors",
        "3",
        "84",
    )
    assert found.rows == 18 and found.network == pytest.approx(read_run(next((tmp_path / "runs").iterdir())).test)
    assert (
        found.verdict.endswith("18 test rows")
        or "of 18 test rows (" in found.verdict
        or "on 18 test rows (" in found.verdict
    )


@pytest.mark.usefixtures("here")
def test_a_yes_or_no_is_measured_by_its_probability(tmp_path: Path) -> None:
    (result,) = compared(train(tmp_path, YES, "baselines=logistic_regression")).results
    x, y, (fit, _, test) = scaled(), table()["yes"], splits()
    chances = LogisticRegression(max_iter=1000).fit(x[fit], y[fit]).predict_proba(x[test])[:, 1]
    assert result.metrics["test/loss"] == pytest.approx(metrics.log_loss(y[test], chances), rel=1e-5)
    assert result.metrics["test/roc_auc"] == pytest.approx(metrics.roc_auc_score(y[test], chances))


@pytest.mark.usefixtures("here")
def test_numbers_are_measured_in_the_units_of_the_data_and_the_loss_in_its_own(tmp_path: Path) -> None:
    (result,) = compared(train(tmp_path, NUMBERS, "baselines=[affine_mmse]")).results
    x, y, (fit, _, test) = scaled().astype(np.float64), table()["y"], splits()
    model = LinearRegression().fit(x[fit], y[fit])
    deviation = y[fit].std(axis=0)
    assert result.metrics["test/mae"] == pytest.approx(
        metrics.mean_absolute_error(y[test], model.predict(x[test])), rel=1e-4
    )
    assert result.metrics["test/r2"] == pytest.approx(metrics.r2_score(y[test], model.predict(x[test])), rel=1e-4)
    errors = (y - model.predict(x)) / deviation
    assert result.metrics["test/loss"] == pytest.approx(np.square(errors[test]).mean(), rel=1e-4)
    assert result.metrics["train/mmse"] == pytest.approx(np.square(errors[fit]).sum(axis=1).mean(), rel=1e-4)


@pytest.mark.usefixtures("here")
def test_a_linear_layer_trained_by_full_batches_reaches_the_closed_form(tmp_path: Path) -> None:
    long = ("train.epochs=2000", "train.batch_size=full", "optimizer={sgd: {lr: 0.3}}", "baselines=[affine_mmse]")
    outcome = train(tmp_path, NUMBERS, *long)
    (result,) = compared(outcome).results
    x, y, (fit, _, test) = scaled().astype(np.float64), table()["y"], splits()
    mean, deviation = y[fit].mean(axis=0), y[fit].std(axis=0)
    z, own = (y[fit] - mean) / deviation, x[fit]
    # F = K_yx K_x^-1, b = m_y - F m_x
    centered = own - own.mean(axis=0)
    matrix = (z - z.mean(axis=0)).T @ centered @ np.linalg.inv(centered.T @ centered)
    last = load_file(outcome.folder / "last.safetensors")
    np.testing.assert_allclose(last["linear_1.weight"], matrix, atol=1e-3)
    np.testing.assert_allclose(last["linear_1.bias"], z.mean(axis=0) - matrix @ own.mean(axis=0), atol=1e-3)
    with torch.no_grad():
        predicted = dlrun.load_network(outcome.folder, "last")(torch.from_numpy(table()["x"][test])).numpy()
    assert result.metrics["test/mae"] == pytest.approx(metrics.mean_absolute_error(y[test], predicted), rel=1e-3)


@pytest.mark.usefixtures("here")
@pytest.mark.baselines
def test_validation_and_test_rows_change_nothing_that_is_learned(tmp_path: Path) -> None:
    folders, found = [tmp_path / "one", tmp_path / "other", tmp_path / "third"], []
    _, validation, test = splits()
    for folder, changed in zip(folders, ([], validation, test), strict=True):
        folder.mkdir()
        data = table()
        data["x"][changed] += 3
        data["y"][changed] *= 2
        write(folder, data)
        found.append({result.name: result.metrics for result in compared(train(folder, NUMBERS)).results})
    plain, other_validation, other_test = found
    for name, metrics_of_it in plain.items():
        for split, changed in (("test", other_validation), ("validation", other_test)):
            same = {
                key: value
                for key, value in metrics_of_it.items()
                if not key.startswith("test validation".replace(split, ""))
            }
            same = {key: value for key, value in metrics_of_it.items() if key.startswith((split, "train"))}
            assert same == {key: changed[name][key] for key in same}
        assert metrics_of_it["test/mae"] != other_test[name]["test/mae"]


@pytest.mark.baselines
@pytest.mark.parametrize("text", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_a_run_has_the_same_bits_with_and_without_baselines(tmp_path: Path, text: str) -> None:
    with_them, without = train(tmp_path, text), train(tmp_path, text, "baselines=off")
    assert len(compared(with_them).results) == 5
    assert without.comparison is None and not (without.folder / NAME).exists()
    for name in ("best.safetensors", "last.safetensors"):
        one, other = load_file(with_them.folder / name), load_file(without.folder / name)
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert with_them.test == without.test


@pytest.mark.baselines
@pytest.mark.parametrize(
    ("overrides", "kinds"),
    [
        ([], ["majority", "logistic_regression", "gaussian_nb", "k_nearest_neighbors", "gradient_boosting"]),
        (["baselines=off"], []),
        (["baselines=[]"], []),
        (["baselines=[majority, majority]"], ["majority", "majority"]),
        (["model.input=[1, 2, 1]", "model.layers=[flatten, linear: 3]"], []),
        (["model.input=[1, 2, 1]", "model.layers=[flatten, linear: 3]", "baselines=majority"], ["majority"]),
    ],
)  # fmt: skip
def test_auto_is_for_tables_and_a_list_for_whatever_it_is_written_for(
    tmp_path: Path, overrides: list[str], kinds: list[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(CLASSES + REST)
    write(tmp_path, table())
    checked = check(tmp_path / "spec.yaml", overrides)
    assert checked.data_info is not None
    terms = [term(loss, checked.plan, checked.data_info) for loss in checked.experiment.losses]
    assert [one.kind for one in baselines(checked.experiment, checked.plan, terms)] == kinds


def test_a_baseline_that_takes_too_long_or_fails_is_no_failure_of_the_run(tmp_path: Path) -> None:
    listed = "baselines=[gradient_boosting: {max_iter: 1000000, seconds: 0.5}, k_nearest_neighbors: 1000, mean]"
    outcome = train(tmp_path, NUMBERS, listed)
    boosting, nearest, mean = compared(outcome).results
    assert outcome.status == "FINISHED"
    assert boosting.trouble == "not done after 0.5 s; `seconds` is the limit"
    assert "n_neighbors" in nearest.trouble and not nearest.metrics
    assert mean.metrics and not mean.trouble


def test_a_process_of_baselines_that_dies_is_no_failure_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Worker.predict

    def predict(worker: Worker, rows: Any) -> Any:
        if not killed:
            killed.append(1)
            assert worker._process is not None
            worker._process.kill()
        return own(worker, rows)

    killed: list[int] = []
    monkeypatch.setattr(Worker, "predict", predict)
    first, second = compared(train(tmp_path, NUMBERS, "baselines=[mean, affine_mmse]")).results
    assert "its process has died" in first.trouble
    assert second.metrics


def test_learning_takes_a_sample_where_there_are_more_rows_than_a_method_takes() -> None:
    rows = InMemory(Batch((torch.arange(25_000.0)[:, None],), {}), "")
    nearest, mean = (choose("baselines", kind) for kind in ("k_nearest_neighbors", "mean"))
    chosen, again, others = (
        comparing.sample(rows, nearest, seed).batch(slice(None)).inputs[0][:, 0]  # type: ignore[arg-type]
        for seed in (1, 1, 2)
    )
    assert len(chosen) == 20_000 and (chosen.diff() > 0).all()
    assert torch.equal(chosen, again) and not torch.equal(chosen, others)
    assert len(comparing.sample(rows, mean, 1)) == 25_000  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_skips_the_baselines_and_resume_computes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    listed = "baselines=[mean, affine_mmse, linear_mmse]"
    (tmp_path / "whole").mkdir()
    whole = compared(train(tmp_path / "whole", NUMBERS, listed))
    own = Worker.fit

    def fit(worker: Worker, baseline: Any, *rest: Any) -> Any:
        if baseline.kind == "affine_mmse":
            os.kill(os.getpid(), number)
        return own(worker, baseline, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "fit", fit)
        outcome = train(tmp_path, NUMBERS, listed)
    assert outcome.status == "FINISHED" == read_run(outcome.folder).status
    found = read_comparison(outcome.folder)
    assert found is not None and not found.complete and [result.name for result in found.results] == ["mean"]
    assert has_unfinished(outcome.folder)

    checked = check(outcome.folder / "resolved.yaml", (), training=True, from_checkpoint=True)
    resumed = finish_baselines(outcome.folder, checked, Silent())
    assert resumed is not None and resumed == read_comparison(outcome.folder)
    assert not has_unfinished(outcome.folder)
    assert resumed.results[0] == found.results[0]  # with its times, by which a tracker knows it
    assert [result.metrics for result in resumed.results] == [result.metrics for result in whole.results]
    assert (resumed.network, resumed.verdict) == (whole.network, whole.verdict)


@pytest.mark.usefixtures("here")
def test_a_longer_run_is_compared_again_and_its_baselines_are_the_same_to_a_tracker(tmp_path: Path) -> None:
    outcome = train(tmp_path, NUMBERS, "baselines=[mean, affine_mmse]")
    before = compared(outcome)

    def resumed(*overrides: str) -> Comparison | None:
        checked = check(outcome.folder / "resolved.yaml", overrides, training=True, from_checkpoint=True)
        return resume(outcome.folder, checked, Silent(), NoTracking()).comparison

    longer = resumed("train.epochs=4")
    assert longer is not None and longer.results == before.results
    assert longer.network != before.network
    # The network does not depend on them, so the section may change, as it does in a run of an older dlrun without it.
    assert resumed("train.epochs=5", "baselines=off") is None
    assert not (outcome.folder / NAME).exists()


@pytest.mark.usefixtures("here")
def test_without_test_rows_the_validation_rows_decide(tmp_path: Path) -> None:
    found = compared(train(tmp_path, CLASSES, "baselines=majority", "data.split={validation: 0.2, test: 0}"))
    assert (found.split, found.rows) == ("validation", 24)
    assert "24 validation rows" in found.verdict
    assert found.network.keys() == {"loss", "accuracy", "f1"}
    assert {name.partition("/")[0] for name in found.results[0].metrics} == {"validation"}


def test_an_error_of_a_baseline_has_one_line() -> None:
    with pytest.raises(BaselineError, match=r"^a row has 10,001 numbers; at most 10,000 are taken$"):
        blocks = iter([(np.zeros((2, 10_001), np.float32), np.zeros((2, 1)))])
        choose("baselines", "affine_mmse").fit(blocks, None, 0)  # type: ignore[attr-defined]
