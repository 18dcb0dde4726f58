"""Steps of several batches: the gradient is the mean over the rows of all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import torch

from dlrun.checks.check import check
from dlrun.errors import SpecError
from dlrun.training.loop import Training
from dlrun.training.speed.capture import can_capture

SPEC = """
data: {source: {sklearn: wine}, preprocess: [standardize], split: {validation: 0.2, test: 0}}
model: {layers: [{linear: 16}, tanh, {linear: {out_features: $classes, name: last}}]}
loss: cross_entropy
metrics: [accuracy, f1, roc_auc]
regularizers: [l2: 1e-3, l1: {coefficient: 0.01, output: last}]
constraints: [max_norm: 2]
optimizer: %s
train: {epochs: 4, batch_size: 8, accumulate: 4}
"""
"""143 training rows: four steps of four batches of 8, then one of a batch of 8 and one of 6."""

SMALL = """
data: {source: {npz: rows.npz}, features: x, target: y, split: {validation: 0, test: 0}}
model: {layers: [linear: 1]}
loss: mse
optimizer: adam
"""


@pytest.mark.parametrize("clipping", ["train.clip_grad_norm=0.5", "train.clip_grad_value=0.01"])
@pytest.mark.parametrize("schedule", [(), ("schedule={cosine_annealing: {warmup: 3 steps}}",)])
@pytest.mark.parametrize("optimizer", ["{sgd: {lr: 0.3, momentum: 0.9}}", "[adam: {weights: last}, rmsprop]"])
def test_four_batches_of_8_are_a_batch_of_32(
    optimizer: str, schedule: tuple[str, ...], clipping: str, tmp_path: Path
) -> None:
    overrides = (*schedule, clipping)
    several = networks.train(tmp_path, SPEC % optimizer, *overrides)
    whole = networks.train(tmp_path, SPEC % optimizer, "train.batch_size=32", "train.accumulate=1", *overrides)
    assert several.state.step == whole.state.step == 20
    theirs = whole.ready.network.state_dict()
    for name, weight in several.ready.network.state_dict().items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-4, atol=1e-5, msg=name)
    for ours, other in zip(several.epochs, whole.epochs, strict=True):
        del ours["time/epoch"], other["time/epoch"]
        assert ours == pytest.approx(other, rel=1e-4, abs=1e-5)


WEIGHTED = "{cross_entropy: {weight: {class_0: 0, class_1: 1, class_2: 5}, coefficient: 0.5}}"


@pytest.mark.parametrize(
    "loss", [WEIGHTED, f"[{WEIGHTED}, {{focal: {{weight: balanced}}}}, {{multi_margin: {{coefficient: 2}}}}]"]
)
@pytest.mark.parametrize("schedule", [(), ("schedule={linear: {of: 'loss*.coefficient', end_factor: 0.2}}",)])
def test_four_batches_are_one_where_rows_count_unequally(loss: str, schedule: tuple[str, ...], tmp_path: Path) -> None:
    overrides = (f"loss={loss}", *schedule)
    several = networks.train(tmp_path, SPEC % "{sgd: {lr: 0.3, momentum: 0.9}}", *overrides)
    one = (*overrides, "train.batch_size=32", "train.accumulate=1")
    whole = networks.train(tmp_path, SPEC % "{sgd: {lr: 0.3, momentum: 0.9}}", *one)
    theirs = whole.ready.network.state_dict()
    for name, weight in several.ready.network.state_dict().items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-4, atol=1e-5, msg=name)
    for ours, other in zip(several.epochs, whole.epochs, strict=True):
        del ours["time/epoch"], other["time/epoch"]
        assert ours == pytest.approx(other, rel=1e-4, abs=1e-5)


def test_the_loss_of_an_epoch_has_the_coefficients_of_each_step(tmp_path: Path) -> None:
    changes = (
        f"loss=[{WEIGHTED}, multi_margin]",
        "schedule={linear: {of: loss.cross_entropy.coefficient, end_factor: 0.2}}",
        "optimizer.sgd.lr=1e-9",  # the weights hardly move, so the losses of the batches are those of one network
        "train={epochs: 2, batch_size: 48, drop_last: true}",
    )
    done = networks.train(tmp_path, SPEC % "{sgd: {}}", *changes)
    for number, epoch in enumerate(done.epochs):
        # Two steps an epoch; the class weights of both batches are summed, and the coefficients differ.
        one, other = (0.5 * (1 - 0.8 * (2 * number + step) / 4) for step in (0, 1))
        lowest, highest = (one_of * epoch["train/cross_entropy"] for one_of in (other, one))
        assert lowest < epoch["train/loss"] - epoch["train/multi_margin"] < highest
    whole = networks.train(tmp_path, SPEC % "{sgd: {}}", *changes, "train={epochs: 4, batch_size: full}")
    for number, epoch in enumerate(whole.epochs):
        coefficient = 0.5 * (1 - 0.8 * number / 4)
        expected = coefficient * epoch["train/cross_entropy"] + epoch["train/multi_margin"]
        assert epoch["train/loss"] == pytest.approx(expected, rel=1e-6)


def test_positions_that_do_not_count_do_not_dilute_the_batches_with_few_others(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    words = np.where(
        random.random((64, 6)) < np.linspace(0.05, 0.95, 64)[:, None], "pad", random.choice(["p", "q"], (64, 6))
    )
    np.savez(tmp_path / "rows.npz", x=random.normal(size=(64, 6, 3)).astype(np.float32), y=words)
    changes = (
        "loss={cross_entropy: {ignore_index: pad}}",
        "model.layers=[linear: $classes]",
        "optimizer={sgd: {lr: 1}}",
    )
    several = networks.train(tmp_path, SMALL, *changes, "train={epochs: 3, batch_size: 8, accumulate: 4}")
    whole = networks.train(tmp_path, SMALL, *changes, "train={epochs: 3, batch_size: 32}")
    assert [epoch["train/loss"] for epoch in several.epochs] == pytest.approx(
        [epoch["train/loss"] for epoch in whole.epochs], rel=1e-5
    )


def test_the_loss_of_an_epoch_counts_every_row_as_its_weight_says(tmp_path: Path) -> None:
    """Class 0 counts nothing, so the loss is the mean over the others, also of batches and steps of other sizes.

    The weights hardly move, so it is the loss of one batch of all rows.
    """
    loss = "loss={cross_entropy: {weight: {class_0: 0, class_1: 2, class_2: 3}}}"
    few = (loss, "train.epochs=1", "optimizer.sgd.lr=1e-9")
    several = networks.train(tmp_path, SPEC % "{sgd: {}}", *few)
    whole = networks.train(tmp_path, SPEC % "{sgd: {}}", *few, "train.batch_size=full", "train.accumulate=1")
    assert several.epochs[0]["train/loss"] == pytest.approx(whole.epochs[0]["train/loss"], rel=1e-5)


def test_a_step_of_one_batch_is_a_step_to_the_bit(tmp_path: Path) -> None:
    """All training rows are in one batch, so there is nothing to add up."""
    spec = SPEC % "adam"
    several = networks.train(tmp_path, spec, "train.batch_size=142")
    whole = networks.train(tmp_path, spec, "train.batch_size=142", "train.accumulate=1")
    for name, weight in several.ready.network.state_dict().items():
        assert torch.equal(weight, whole.ready.network.state_dict()[name]), name


@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
@pytest.mark.parametrize("loss", ["cross_entropy", WEIGHTED])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_each_batch_of_a_step_is_captured(
    optimizer: str, loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("train.epochs=8", "train.clip_grad_norm=1.0", f"loss={loss}")
    codes = networks.two_ways(tmp_path, SPEC % optimizer, monkeypatch, *changes)
    assert len(codes) >= 3  # batches of 8 and of 6, and validation
    assert all(code is not None for code in codes)


@pytest.mark.parametrize(
    ("settings", "rows", "batches"),
    [
        ({"batch_size": 8, "accumulate": 4}, 70, [[8, 8, 8, 8], [8, 8, 8, 8], [6]]),
        ({"batch_size": 8, "accumulate": 4, "drop_last": True}, 70, [[8, 8, 8, 8], [8, 8, 8, 8]]),
        ({"batch_size": 8, "accumulate": 3, "drop_last": True}, 35, [[8, 8, 8], [8]]),
        ({"batch_size": 8, "accumulate": 3}, 35, [[8, 8, 8], [8, 3]]),
        ({"batch_size": 8}, 20, [[8], [8], [4]]),
        ({"batch_size": "full"}, 20, [[20]]),
        ({"batch_size": 64, "accumulate": 2}, 20, [[20]]),
    ],
)
def test_an_epoch_has_all_rows_in_steps_of_batches(
    settings: dict, rows: int, batches: list[list[int]], tmp_path: Path
) -> None:
    np.savez(tmp_path / "rows.npz", x=np.arange(rows, dtype=np.float32)[:, None], y=np.zeros(rows))
    ready = networks.prepare_training(
        networks.checked(tmp_path, SMALL, f"train={json.dumps(settings | {'epochs': 2})}")
    )
    done, seen, steps = networks.Trained(ready), [], []

    def noted(*given: Any) -> Any:
        batch = ready.task.augment(*given)
        seen.append(batch.inputs[0].flatten().tolist())
        return batch

    done.after_step = lambda _training: steps.append(len(seen))  # type: ignore[method-assign]
    training = Training(replace(ready.task, augment=noted), done, done, done.state)
    training.run()
    sizes = [[len(batch) for batch in seen[start:stop]] for start, stop in pairwise([0, *steps])]
    assert sizes == 2 * batches
    assert training.length.steps == done.state.step == 2 * len(batches)
    first = [row for batch in seen[: len(seen) // 2] for row in batch]
    assert len(first) == len(set(first)) == training.length.rows


def test_accumulating_needs_several_batches(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        networks.checked(tmp_path, SPEC % "adam", "train.batch_size=full")
    (problem,) = caught.value.problems
    assert problem.message == "4 batches make a step, and `batch_size: full` is one batch of all rows"
    assert problem.hint == "give `batch_size` a number of rows"


def test_more_batches_than_an_epoch_has_are_noted(tmp_path: Path) -> None:
    checked = networks.checked(tmp_path, SPEC % "adam", "train.accumulate=19")
    (note,) = checked.notes
    assert (note.note, note.message) == ("large_batch", "a step of 19 batches is larger than an epoch, which has 18")
    assert not check(tmp_path / "spec.yaml", ["train.accumulate=18"], training=True).notes
