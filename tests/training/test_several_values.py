"""Metrics of several values: one for each class, or a table of them; from the spec to the journal and the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from typer.testing import CliRunner

import dlrun
from dlrun.commands.app import app
from dlrun.errors import SpecError
from dlrun.language.labels import LONGEST, in_names
from dlrun.runs.baselines import read_comparison

SPEC = """
name: pets
data: {source: {csv: pets.csv}, target: pet, split: {validation: 0.2, test: 0.2, stratify: true}}
model: {layers: [linear: OUTPUTS]}
loss: LOSS
metrics: METRICS
optimizer: {adam: {lr: 5e-2}}
train: {epochs: 4}
tracking: off
"""
PETS = ("cat", "dog", "red/green fish")


def spec(folder: Path, metrics: str, pets: tuple[str, ...] = PETS, loss: str = "cross_entropy") -> Path:
    random = np.random.default_rng(0)
    numbers = np.arange(120) % len(pets)
    x = (random.normal(size=(120, 2)) + numbers[:, None]).round(3)
    rows = [f"{a},{b},{pets[number]}\n" for (a, b), number in zip(x, numbers, strict=True)]
    (folder / "pets.csv").write_text("a,b,pet\n" + "".join(rows))
    outputs = "$classes" if loss == "cross_entropy" else "1"
    text = SPEC.replace("METRICS", metrics).replace("OUTPUTS", outputs).replace("LOSS", loss)
    (folder / "spec.yaml").write_text(text)
    return folder / "spec.yaml"


def test_a_value_for_each_class_is_in_the_journal_under_its_name(tmp_path: Path) -> None:
    file = spec(tmp_path, "[{f1: none}, accuracy, confusion_matrix]")
    outcome = dlrun.train(file, "baselines=off", runs=tmp_path / "runs")
    run = dlrun.read_run(outcome.folder)
    names = ["f1/cat", "f1/dog", "f1/red_green fish"]
    short = [name.partition("/")[2] for name in names]
    cells = [f"confusion_matrix/{true}/{answer}" for true in short for answer in short]
    assert list(outcome.test) == ["loss", *names, "accuracy", *cells]
    for split in ("train", "validation"):
        assert all(len(run.metric(f"{split}/{name}")) == 4 for name in (*names, *cells))
    checked = dlrun.check(file)
    assert checked.data_info is not None
    rows = np.genfromtxt(tmp_path / "pets.csv", delimiter=",", skip_header=1, usecols=(0, 1))
    test = checked.data_info.splits(checked.experiment.need("data").split, 0).test
    answers = dlrun.load_network(outcome.folder)(torch.tensor(rows[test]).float()).argmax(1)
    truth = np.arange(120)[test] % 3
    assert [outcome.test[name] for name in names] == pytest.approx(
        reference.f1_score(truth, answers, average=None)  # type: ignore[arg-type]
    )
    table = reference.confusion_matrix(truth, answers)
    assert [outcome.test[name] for name in cells] == table.ravel().tolist()


def test_the_value_of_a_class_can_be_monitored(tmp_path: Path) -> None:
    file = spec(tmp_path, "[{recall: none}]")
    stopping = "train={epochs: 4, early_stopping: {monitor: validation/recall/dog, patience: 9}}"
    outcome = dlrun.train(file, stopping, "baselines=off", runs=tmp_path / "runs")
    values = dlrun.read_run(outcome.folder).metric("validation/recall/dog")
    assert outcome.state.best_value == max(values)


@pytest.mark.parametrize(
    ("metrics", "monitor", "message"),
    [
        ("[{recall: none}]", "recall", "there is no metric 'validation/recall'; did you mean 'validation/recall/"),
        ("[{recall: none}]", "recall/dig", "did you mean 'validation/recall/dog'?"),
        ("[entropy]", "entropy", "neither more nor less of 'validation/entropy' is better"),
        ("[confusion_matrix]", "confusion_matrix/cat/dog", "neither more nor less of"),
    ],
)
def test_what_cannot_be_monitored_is_an_error_with_a_way_out(
    tmp_path: Path, metrics: str, monitor: str, message: str
) -> None:
    stopping = f"train={{early_stopping: {{monitor: validation/{monitor}}}}}"
    with pytest.raises(SpecError) as raised:
        dlrun.check(spec(tmp_path, metrics), stopping)
    assert message in str(raised.value)
    assert "choose one of validation/loss" in str(raised.value)


def test_a_class_that_validation_lacks_leaves_its_own_value_undefined(tmp_path: Path) -> None:
    file = spec(tmp_path, "[{f1: none}]")
    lines = (tmp_path / "pets.csv").read_text().splitlines()
    order = np.random.Generator(np.random.PCG64(0)).permutation(120)
    kept = [line.replace("dog", "cat") if row in order[:48] else line for row, line in enumerate(lines[1:])]
    (tmp_path / "pets.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    plain = "data.split.stratify=false"
    notes = [note.message for note in dlrun.check(file, plain).notes if note.note == "undefined_metric"]
    assert notes == [
        f"{split} has no row of dog, so f1/dog is 0 or not defined there" for split in ("validation", "test")
    ]
    stopping = "train={early_stopping: {monitor: validation/f1/%s}}"
    with pytest.raises(SpecError, match="validation has no row of dog, so f1/dog is 0 or not defined there"):
        dlrun.check(file, plain, stopping % "dog")
    dlrun.check(file, plain, stopping % "cat")


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "{binary_cross_entropy: {of: cat}}"])
def test_the_values_of_a_binary_target_have_the_names_of_its_classes(tmp_path: Path, loss: str) -> None:
    file = spec(tmp_path, "[{recall: none}, confusion_matrix]", ("cat", "dog"), loss)
    outcome = dlrun.train(file, "baselines=off", runs=tmp_path / "runs")
    for name, other in (("cat", "dog"), ("dog", "cat")):
        right, wrong = (outcome.test[f"confusion_matrix/{name}/{answer}"] for answer in (name, other))
        assert outcome.test[f"recall/{name}"] == right / (right + wrong)
        assert right + wrong == 12


def test_several_yes_or_no_have_the_names_of_their_columns(tmp_path: Path) -> None:
    file = spec(tmp_path, "[]")
    rows = "".join(f"{i % 7},{i % 5},{i % 2},{i % 3 // 2}\n" for i in range(60))
    (tmp_path / "pets.csv").write_text("a,b,barks,swims\n" + rows)
    changed = [
        "data={source: {csv: pets.csv}, target: [barks, swims], split: {test: 0.2}}",
        "loss=binary_cross_entropy",
    ]
    changed += ["model.layers=[linear: 2]", "metrics=[{precision: none}]", "baselines=off"]
    outcome = dlrun.train(file, *changed, runs=tmp_path / "runs")
    assert list(outcome.test) == ["loss", "precision/barks", "precision/swims"]
    with pytest.raises(SpecError, match="confusion_matrix needs one class for each row") as raised:
        dlrun.check(file, *changed, "metrics=[confusion_matrix]")
    assert "`recall: none`" in str(raised.value)


def test_the_screen_shows_a_table_of_counts_and_compares_metrics_of_one_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec(tmp_path, "[confusion_matrix, {f1: none}, entropy, matthews]")
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["train", "spec.yaml", "baselines=[majority, gaussian_nb]"])
    assert shown.exit_code == 0, shown.output
    words = [line.split() for line in shown.stdout.splitlines()]
    assert ["confusion_matrix:", "true,", "then", "predicted", "cat", "dog", "red_green", "fish"] in words
    (run,) = (tmp_path / "runs").iterdir()
    done = dlrun.read_run(run)
    cells = [f"test/confusion_matrix/dog/{answer}" for answer in ("cat", "dog", "red_green fish")]
    counts = [f"{done.metric(cell)[-1]:.0f}" for cell in cells]
    assert ["dog", *counts] in words
    assert ["test,", "24", "rows", "loss", "entropy", "matthews"] in words
    comparison = read_comparison(run)
    assert comparison is not None
    assert "matthews" in comparison.verdict  # the first of one value of which more is better


def test_a_table_that_no_screen_can_show_and_one_that_no_journal_should_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(f"a pet with a long name {number}" for number in range(20))
    file = spec(tmp_path, "[confusion_matrix]", many)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["train", "spec.yaml", "baselines=off"])
    assert "confusion_matrix: too wide for the screen; its values are in runs/pets" in " ".join(shown.stdout.split())
    with pytest.raises(SpecError, match=r"confusion_matrix has 1,600 values for these outputs; the most are 1,024"):
        dlrun.check(file, "model.layers=[linear: 40]")


def test_a_k_that_all_outputs_reach_is_an_error(tmp_path: Path) -> None:
    file = spec(tmp_path, "[top_k_accuracy: 3]")
    with pytest.raises(
        SpecError, match="top_k_accuracy is 1 for any outputs: k is 3, and there are 3 classes"
    ) as raised:
        dlrun.check(file)
    assert "write a k below 3" in str(raised.value)


def test_labels_in_names_are_short_and_no_two_alike() -> None:
    labels = ["a/b", "a_b", "a_b_2", " ", "x" * 50, "x" * 50 + "y", "\n"]
    names = in_names(labels)
    assert names[:3] == ("a_b", "a_b_2", "a_b_2_2")
    assert names[3] == "' '"
    assert len(set(names)) == len(labels)
    assert all("/" not in name and name.isprintable() and len(name) <= LONGEST + 2 for name in names)
