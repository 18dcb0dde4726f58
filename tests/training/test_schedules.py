"""Numbers that schedules change, in a training."""

from __future__ import annotations

from pathlib import Path

import networks
import pytest
import torch

from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.training.speed.capture import can_capture

SPEC = """
data: {source: {sklearn: digits}, preprocess: [minmax], split: {test: 0}}
model: {layers: [{linear: {out_features: 12, name: stem}}, tanh, {linear: 10}]}
loss: cross_entropy
optimizer: %s
schedule: %s
train: {epochs: 3, batch_size: 128}
"""
needs_capture = pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")


@pytest.mark.parametrize("kind", kinds("optimizers"))
def test_numbers_of_an_optimizer_that_stay_as_they_are_written_have_no_effect(kind: str, tmp_path: Path) -> None:
    names = [name for name, value in choose("optimizers", kind).changeable().items() if value]  # some are below 0
    matrices = "model.layers=[linear: {out_features: 12, bias: false}, linear: {out_features: 10, bias: false}]"
    weights = []
    for schedule in ("null", f"{{linear: {{of: {names}, end_factor: 1}}}}"):
        own = ("train.epochs=null", "train.steps=3", *(["train.batch_size=full"] if kind in networks.SEARCHING else []))
        done = networks.train(tmp_path, SPEC % (kind, schedule), matrices, *own)
        weights.append(done.ready.network.state_dict())
    assert done.epochs[-1].keys() >= {*names}
    for name, weight in weights[0].items():
        assert weight.isfinite().all() and torch.equal(weights[1][name], weight), name


def test_the_journal_has_each_number_that_changes(tmp_path: Path) -> None:
    schedule = "[{linear: {of: [lr, 'w*'], end_factor: 0}}, {linear: {of: betas.0, end_factor: 1.05}}]"
    done = networks.train(tmp_path, SPEC % ("{adamw: {lr: 0.01, weight_decay: 0.5}}", schedule))
    for epoch, metrics in enumerate(done.epochs, 1):
        share = (epoch * 12 - 1) / 36
        assert metrics["lr"] == pytest.approx(0.01 * (1 - share))
        assert metrics["weight_decay"] == pytest.approx(0.5 * (1 - share))
        assert metrics["betas.0"] == pytest.approx(0.9 * (1 + 0.05 * share))
        assert not {"betas.1", "eps"} & metrics.keys()


def test_of_several_optimizers_the_journal_has_those_with_the_number(tmp_path: Path) -> None:
    optimizers = "[sgd: {weights: stem, momentum: 0.5}, adam: {}]"
    done = networks.train(tmp_path, SPEC % (optimizers, "{linear: {of: momentum, end_factor: 0.5}}"))
    assert {name for name in done.epochs[0] if name.startswith(("lr", "mom"))} == {"lr/1", "lr/2", "momentum/1"}


@pytest.mark.parametrize(
    ("optimizer", "name"), [("{sgd: {lr: 0.1, %s: 0.8}}", "momentum"), ("{rmsprop: {%s: 0.8}}", "momentum")]
)
def test_a_setting_that_begins_at_0_has_the_steps_of_one_that_hardly_acts(
    optimizer: str, name: str, tmp_path: Path
) -> None:
    # One step at 0 and two at 0.8: where the optimizer forgot its first step, the second one would be another.
    steps = ("train.epochs=null", "train.steps=3", "train.batch_size=full")
    weights = []
    for first in ("0", "1e-12"):
        schedule = f"{{constant: {{of: {name}, factor: {first}, total_iters: 1 step}}}}"
        done = networks.train(tmp_path, SPEC % (optimizer % name, schedule), *steps)
        weights.append(done.ready.network.state_dict())
    for key, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][key], rtol=1e-6, atol=1e-7)


@needs_capture
@pytest.mark.parametrize("optimizer", ["{sgd: {momentum: 0.5}}", "{rmsprop: {momentum: 0.5}}"])
def test_a_captured_training_with_a_number_that_changes_ends_in_the_bits_of_one_that_was_not(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = "[one_cycle, one_cycle: {of: momentum, div_factor: 0.5, final_div_factor: 1}]"
    codes = networks.two_ways(tmp_path, SPEC % (optimizer, schedule), monkeypatch)
    assert codes and all(code is not None for code in codes)


def test_a_coefficient_changes_the_loss_of_the_training_rows_and_not_that_of_the_others(tmp_path: Path) -> None:
    schedule = "{step: {of: loss.coefficient, step_size: 1, gamma: 0.5}}"
    done = networks.train(tmp_path, SPEC % ("{sgd: {lr: 1e-30}}", schedule), "loss={cross_entropy: {coefficient: 3}}")
    first, *others = done.epochs
    for epoch, metrics in enumerate(others, 1):
        assert metrics["loss.coefficient"] == 3 * 0.5**epoch
        assert metrics["train/loss"] == pytest.approx(first["train/loss"] * 0.5**epoch, rel=1e-5)
        assert metrics["validation/loss"] == pytest.approx(first["validation/loss"], rel=1e-5)
    assert first["validation/loss"] == pytest.approx(first["train/loss"], rel=0.1)


def test_a_penalty_follows_its_coefficient(tmp_path: Path) -> None:
    schedule = "{linear: {of: 'regularizers.*.coefficient', end_factor: 3}}"
    steps = ("train.batch_size=full", "regularizers=[l2: 1, l1: {coefficient: 1, output: stem}, entropy: 1]")
    done = networks.train(tmp_path, SPEC % ("{sgd: {lr: 1e-30}}", schedule), *steps)
    first = done.epochs[0]["train/penalty"]
    assert [epoch["train/penalty"] / first for epoch in done.epochs] == pytest.approx([1, 5 / 3, 7 / 3], rel=1e-5)


CHANGING = {
    "a loss": "{linear: {of: loss.coefficient, start_factor: 0, end_factor: 2}}",
    "a penalty on weights": "{linear: {of: regularizers.l2.coefficient, start_factor: 0, end_factor: 2}}",
    "a penalty on outputs": "{linear: {of: regularizers.l1.coefficient, start_factor: 0, end_factor: 2}}",
    "a penalty on predictions": "{linear: {of: regularizers.entropy.coefficient, start_factor: 0, end_factor: 2}}",
}


@needs_capture
@pytest.mark.parametrize("what", CHANGING)
@pytest.mark.parametrize("optimizer", ["adam", "{rmsprop: {lr: 1e-3}}"])
def test_a_captured_training_with_a_coefficient_that_changes_ends_in_the_bits_of_one_that_was_not(
    what: str, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    penalties = "regularizers=[l2: 1e-3, l1: {coefficient: 1e-3, output: stem}, entropy: 0.1]"
    codes = networks.two_ways(tmp_path, SPEC % (optimizer, CHANGING[what]), monkeypatch, penalties)
    assert codes and all(code is not None for code in codes)
    constant = networks.train(tmp_path, SPEC % (optimizer, "null"), penalties).ready.network.state_dict()
    changed = networks.train(tmp_path, SPEC % (optimizer, CHANGING[what]), penalties).ready.network.state_dict()
    assert not all(torch.equal(constant[name], weight) for name, weight in changed.items())
