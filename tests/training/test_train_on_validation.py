"""Training on the validation rows too, once they have shown how long to train."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest
import torch

import dlrun
from dlrun.errors import SpecError
from dlrun.runs.journal import read_journal

SPEC = """
data:
  source: {csv: rows.csv}
  target: y
  split: {column: part, validation: 0}
  preprocess: [one_hot: {columns: place}, standardize]
model: {layers: [linear: 8, tanh, dropout: 0.2, linear: 1]}
loss: mse
metrics: [mae]
optimizer: {adam: {lr: 0.01}}
train: {epochs: 3, batch_size: 16, device: cpu}
tracking: off
baselines: off
"""
JOINING = "data.split={column: part, train_on_validation: true}"


def write(folder: Path, file: str, validation: str) -> None:
    """120 rows of a table, every fifth for the test and every fourth of the others for `validation`."""
    random = np.random.default_rng(5)
    lines = ["a,b,place,y,part"]
    for row in range(120):
        a, b = random.normal(size=2).round(3)
        part = "test" if row % 5 == 0 else validation if row % 4 == 0 else "train"
        # One place has validation rows alone, and these are larger than others: so all that is fitted shows them.
        place = "far" if row % 4 == 0 and row % 5 else "near" if row % 3 else "middle"
        lines.append(f"{a + 5 * (place == 'far')},{b},{place},{a - b:.3f},{part}")
    (folder / file).write_text("\n".join(lines))


def test_it_equals_a_run_whose_validation_rows_were_made_training_rows_by_hand(tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "validation")
    joined = networks.train(tmp_path, SPEC, JOINING)
    write(tmp_path, "rows.csv", "train")
    by_hand = networks.train(tmp_path, SPEC)
    assert len(joined.ready.task.data.train) == len(by_hand.ready.task.data.train) == 96
    assert not len(joined.ready.task.data.validation)
    ours, theirs = (done.ready.network.state_dict() for done in (joined, by_hand))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for one, other in zip(joined.epochs, by_hand.epochs, strict=True):
        assert {**one, "time/epoch": 0} == {**other, "time/epoch": 0}


def test_the_test_rows_are_those_of_the_search_for_the_number_of_epochs(tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "validation")
    (tmp_path / "spec.yaml").write_text(SPEC.replace("{column: part, validation: 0}", "{column: part}"))
    search = dlrun.train(tmp_path / "spec.yaml", "train.early_stopping={patience: 2}", runs=tmp_path / "runs")
    epochs = search.state.best_epoch
    refit = dlrun.train(tmp_path / "spec.yaml", JOINING, f"train.epochs={epochs}", runs=tmp_path / "runs")
    assert refit.state.epoch == epochs
    assert set(refit.test) == {"loss", "mae"} and refit.test != search.test
    assert not any(name.startswith("validation/") for record in read_journal(refit.folder / "metrics.jsonl")
                   for name in record.metrics)  # fmt: skip


def test_early_stopping_needs_rows_that_are_not_trained_on(tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "validation")
    with pytest.raises(SpecError) as caught:
        networks.checked(tmp_path, SPEC, JOINING, "train.early_stopping={}")
    (problem,) = caught.value.problems
    said = "early stopping needs validation rows, and `train_on_validation` makes training rows of them"
    assert (problem.message, problem.hint) == (said, "remove one of the two")


def test_check_counts_and_shows_them_as_training_rows(tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "validation")
    sizes = networks.checked(tmp_path, SPEC, JOINING).sizes
    own = ("data.split={train_on_validation: true, stratify: true}", "data.features=[a, b, place]")
    drawn = networks.checked(tmp_path, SPEC, *own).sizes
    assert sizes is not None and drawn is not None
    assert (sizes.train, sizes.validation, sizes.test) == (96, 0, 24)
    assert (drawn.train, drawn.validation, drawn.test) == (102, 0, 18)
