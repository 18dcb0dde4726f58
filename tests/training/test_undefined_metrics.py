"""A value that is not defined decides nothing; and each metric says which class it is about."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

import dlrun
from dlrun.errors import RunError, SpecError
from dlrun.runs import folder as run_folder

SPEC = """
data: {source: {csv: data.csv}, target: y, split: {validation: 0.2, test: 0.2, stratify: STRATIFY}}
model: {layers: [linear: OUTPUTS]}
loss: LOSS
metrics: [f1]
optimizer: {adam: {lr: 5e-2}}
train: {epochs: 4}
tracking: off
"""


def spec(folder: Path, labels: list[str], loss: str = "binary_cross_entropy", stratify: bool = True) -> Path:
    x = np.random.default_rng(0).normal(size=(len(labels), 2)).round(3).tolist()
    rows = [f"{a},{b},{label}\n" for (a, b), label in zip(x, labels, strict=True)]
    (folder / "data.csv").write_text("a,b,y\n" + "".join(rows))
    outputs = "1" if loss.startswith("binary") or "binary" in loss else "$classes"
    text = SPEC.replace("OUTPUTS", outputs).replace("LOSS", loss).replace("STRATIFY", str(stratify).lower())
    (folder / "spec.yaml").write_text(text)
    return folder / "spec.yaml"


def tags(folder: Path) -> dict[str, str]:
    return json.loads((folder / run_folder.STARTED).read_text())["tags"]


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("rare", ["abnormal", "spam"])
def test_f1_is_that_of_the_rarer_class_and_run_json_says_so(tmp_path: Path, loss: str, rare: str) -> None:
    labels = [rare if i % 10 == 0 else "normal" for i in range(100)]
    checked = dlrun.check(spec(tmp_path, labels, loss))
    outcome = dlrun.train(spec(tmp_path, labels, loss), runs=tmp_path / "runs")
    assert checked.data_info is not None
    assert tags(outcome.folder)["class.f1"] == rare
    scores = dlrun.load_network(outcome.folder)(_features(tmp_path)).detach()
    names = sorted({rare, "normal"})
    binary = scores.shape[1] == 1
    if binary:
        predicted = np.where(scores[:, 0] >= 0, rare, "normal")
        assert tags(outcome.folder)["class.binary_cross_entropy"] == rare
        assert json.loads((outcome.folder / run_folder.LABELS).read_text()) == ["normal", rare]
    else:
        predicted = np.array(names)[scores.argmax(1).numpy()]
    assert outcome.test_of.endswith("(best)")
    test = _test_rows(outcome.folder, tmp_path, labels, predicted, rare)
    assert test["f1"] == pytest.approx(outcome.test["f1"], nan_ok=True)


def _features(folder: Path) -> torch.Tensor:
    lines = (folder / "data.csv").read_text().splitlines()[1:]
    return torch.tensor([[float(cell) for cell in line.split(",")[:2]] for line in lines])


def _test_rows(run: Path, folder: Path, labels: list[str], predicted: np.ndarray, rare: str) -> dict[str, float]:
    from dlrun.language.experiment import Split
    from dlrun.plan.split import split_rows

    names = tuple(sorted(set(labels)))
    numbers = np.array([names.index(label) for label in labels])
    rows = split_rows(numbers, len(labels), Split(validation=0.2, test=0.2, stratify=True), 0, names).test
    truth = np.array(labels)[rows]
    return {"f1": float(f1_score(truth, predicted[rows], pos_label=rare, zero_division=np.nan))}


@pytest.mark.parametrize(
    ("labels", "loss", "one"),
    [
        (["0", "1", "1"], "binary_cross_entropy", "1"),
        (["0", "0", "1"], "binary_cross_entropy", "1"),
        (["false", "true", "true"], "binary_cross_entropy", "true"),
        (["no", "yes", "yes"], "binary_cross_entropy", "no"),
        (["no", "yes"], "binary_cross_entropy", "yes"),
        (["no", "yes", "yes"], "{binary_cross_entropy: {of: yes}}", "yes"),
    ],
)
def test_a_binary_target_is_1_for_one_class(tmp_path: Path, labels: list[str], loss: str, one: str) -> None:
    checked = dlrun.check(spec(tmp_path, labels * 20, loss.replace("yes", '"yes"')))
    assert checked.data_info is not None
    target = checked.data_info.targets["target"]
    assert target.labels is not None
    assert target.positive is not None
    assert target.labels[target.positive] == one


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("metrics=[{f1: {of: spma}}]", "the target has no class 'spma'; did you mean 'spam'?"),
        ("metrics=[{roc_auc: {of: spma}}]", "did you mean 'spam'?"),
        ("loss={binary_cross_entropy: {of: spma}}", "did you mean 'spam'?"),
        ("metrics=[{f1: {of: spam, average: macro}}]", "one class and for several"),
        ("metrics=[{accuracy: {of: spam}}]", "unknown setting 'of'"),
    ],
)
def test_a_class_that_is_not_there_is_an_error(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        dlrun.check(spec(tmp_path, ["spam", "ham", "ham"] * 20), override)
    assert message in str(raised.value)


def test_one_of_three_classes_may_be_named(tmp_path: Path) -> None:
    file = spec(tmp_path, ["a", "b", "c"] * 30, "cross_entropy")
    outcome = dlrun.train(file, "metrics=[{f1: {of: c}}]", runs=tmp_path / "runs")
    assert tags(outcome.folder)["class.f1"] == "c"
    with pytest.raises(SpecError, match="does not say which"):
        dlrun.check(file, "metrics=[{f1: {average: binary}}]")


IN_TRAINING = np.random.Generator(np.random.PCG64(0)).permutation(60)[-1]
RARE = ["pos" if i == IN_TRAINING else "neg" for i in range(60)]


@pytest.mark.parametrize(("metric", "what"), [("roc_auc", "not defined"), ("f1", "0 or not defined")])
@pytest.mark.parametrize("setting", ["train.early_stopping", "train.best", "schedule.reduce_on_plateau"])
@pytest.mark.parametrize("source", ["csv", "npz"])
def test_nothing_is_decided_by_a_metric_that_validation_lacks_a_class_for(
    tmp_path: Path, source: str, setting: str, metric: str, what: str
) -> None:
    section, _, name = setting.partition(".")
    stopping = f"{section}={{{name}: {{monitor: validation/{metric}}}}}"
    file, changed = spec(tmp_path, RARE, stratify=False), [f"metrics=[{metric}]"]
    if source == "npz":
        np.savez(tmp_path / "data.npz", x=_features(tmp_path).numpy(), y=np.array(RARE))
        changed += ["data={source: {npz: data.npz}, features: x, target: y, split: {validation: 0.2, test: 0.2}}"]
    with pytest.raises(SpecError, match=f"validation has no row of pos, so {metric} is {what} there") as raised:
        dlrun.check(file, *changed, stopping)
    assert f"{setting}.monitor" in str(raised.value)
    assert "add rows of the class" in str(raised.value)
    noted = [note for note in dlrun.check(file, *changed).notes if note.note == "undefined_metric"]
    assert [note.message.partition(" ")[0] for note in noted] == ["validation", "test"]


NUMBERS = [f"{i % 7}.5" for i in range(60)]
ORDER = np.random.Generator(np.random.PCG64(0)).permutation(60)
LIKE = [NUMBERS[i] if i not in ORDER[12:24] else "3" for i in range(60)]
"""The same number in all rows of validation."""


@pytest.mark.parametrize(
    ("labels", "split", "message"),
    [
        (LIKE, "{validation: 0.2, test: 0.2}", "the target is the same in all 12 rows of validation"),
        (NUMBERS, "{validation: 0.02}", "validation has one row"),
    ],
)
@pytest.mark.parametrize("source", ["csv", "npz"])
def test_r2_of_rows_that_are_all_alike_is_found_before_loading(
    tmp_path: Path, source: str, labels: list[str], split: str, message: str
) -> None:
    file = spec(tmp_path, labels, "mse", stratify=False)
    x, y = _features(tmp_path).numpy(), np.array(labels, float)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    given = "csv: data.csv}" if source == "csv" else "npz: data.npz}, features: x"
    changed = [f"data={{source: {{{given}, target: y, split: {split}}}", "metrics=[r2]", "model.layers=[linear: 1]"]
    with pytest.raises(SpecError, match=f"{message}, so r2 is not defined there"):
        dlrun.check(file, *changed, "train={epochs: 4, early_stopping: {monitor: validation/r2, patience: 1}}")
    noted = [note.message for note in dlrun.check(file, *changed).notes if note.note == "undefined_metric"]
    assert noted == [f"{message}, so r2 is not defined there"]
    assert not dlrun.check(file, *changed, "data.split.seed=5", "data.split.validation=0.2").notes


def test_r2_of_one_row_of_scikit_learns_numbers_is_found_before_loading(tmp_path: Path) -> None:
    changed = ["data={source: {sklearn: diabetes}, split: {validation: 0.002}}", "loss=mse", "metrics=[r2]"]
    changed += ["model.layers=[linear: 1]", "train={epochs: 4, early_stopping: {monitor: validation/r2, patience: 1}}"]
    with pytest.raises(SpecError, match="validation has one row, so r2 is not defined there"):
        dlrun.check(spec(tmp_path, NUMBERS), *changed)


def test_r2_of_an_input_that_is_always_the_same_is_found_before_the_first_step(tmp_path: Path) -> None:
    changed = ["data={source: {sklearn: digits}, split: {validation: 0.2}}", "loss={mse: input}", "metrics=[r2]"]
    changed += ["model.layers=[linear: 64]", "train={epochs: 4, early_stopping: {monitor: validation/r2, patience: 1}}"]
    with pytest.raises(SpecError, match="a number of the input is the same in all 359 rows of validation"):
        dlrun.train(spec(tmp_path, NUMBERS), *changed, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_where_the_metric_was_never_defined_the_last_weights_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With a bias of -50 the rare class is never predicted, and validation has no row of it: f1 is 0/0. As if it did not
    # say so before training.
    monkeypatch.setattr("dlrun.components.metrics.f1.F1.needs_its_class", False)
    stopping = "train={epochs: 4, early_stopping: {monitor: validation/f1, patience: 1}}"
    layers = "model.layers=[linear: {out_features: 1, bias_init: {normal: {mean: -50, std: 0.001}}}]"
    file = spec(tmp_path, RARE, stratify=False)
    with pytest.raises(RunError, match=r"validation/f1 was never a finite number.*last epoch, 4"):
        dlrun.train(file, stopping, layers, runs=tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    run = dlrun.read_run(folder)
    assert run.status == "FAILED"
    assert len(run.metric("train/loss")) == 4
    assert np.isnan(run.metric("validation/f1")).all()
    assert not (folder / run_folder.BEST).exists()
    with pytest.raises(SpecError, match=r"no epoch of .* is the best"):
        dlrun.load_network(folder)
    assert dlrun.load_network(folder, "last") is not None


def test_the_test_is_of_the_weights_that_load_network_gives(tmp_path: Path) -> None:
    labels = ["spam" if i % 3 == 0 else "ham" for i in range(60)]
    file = spec(tmp_path, labels)
    outcome = dlrun.train(file, "optimizer.adam.lr=50", "train.epochs=7", runs=tmp_path / "runs")
    losses = dlrun.read_run(outcome.folder).metric("validation/loss")
    best = int(np.argmin(losses)) + 1
    assert outcome.test_of == f"epoch {best} (best)"
    assert best < 7
    assert outcome.state.best_epoch == best
