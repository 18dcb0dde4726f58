"""The range test: rates that suit a known problem, and a network that is as it was."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import networks
import pytest
import torch

from dlrun.errors import RunError
from dlrun.plan.length import Length
from dlrun.training.loop import Training
from dlrun.training.range_test import FIRST, LAST, STEPS, WIDTH, RangeTest, _smoothed, range_test
from dlrun.training.state import TrainingState

QUADRATIC = """
data: {source: {csv: rows.csv}, target: y, split: {validation: 0, test: 0}}
model: {layers: [linear: {out_features: 1, bias: false}]}
loss: mse
optimizer: {sgd: {lr: 1e-3}}
train: {batch_size: full}
"""


def range_of(ready: networks.TrainingSetup) -> RangeTest:
    return range_test(ready.task, Length.of(ready.task.settings, len(ready.task.data.train)))


@pytest.mark.parametrize("scale", [0.1, 1, 30])
def test_on_a_quadratic_the_suggestions_have_the_order_of_the_best_rate(scale: float, tmp_path: Path) -> None:
    rows = "".join(f"{sign * scale},{3 * sign * scale}\n" for sign in (-1, 1) * 20)
    (tmp_path / "rows.csv").write_text("x,y\n" + rows)
    found = range_of(networks.prepare_training(networks.checked(tmp_path, QUADRATIC)))
    # mean((w*x - y)**2) has the curvature 2*scale**2: gradient descent at 1/curvature is there in one step.
    best = 1 / (2 * scale**2)
    assert found.fell
    if best < LAST / 10:
        assert best / 20 < found.steepest < best * 2
        assert best / 20 < found.tenth < best * 2
        assert found.rates[-1] < 100 * best  # it ends soon after the loss diverges
    else:
        assert found.rates[-1] == pytest.approx(LAST)
    assert found.rates[0] == FIRST
    factors = [later / earlier for earlier, later in pairwise(found.rates)]
    assert factors == pytest.approx([1e8 ** (1 / (STEPS - 1))] * len(factors))


DIGITS = """
data: {source: {sklearn: digits}, preprocess: [minmax], augment: [gaussian_noise: 0.1], split: {test: 0}}
model: {layers: [{linear: 12}, batch_norm, relu, {dropout: 0.3}, {linear: 10}]}
loss: cross_entropy
optimizer: %s
train: {epochs: 2, batch_size: 64}
"""


@pytest.mark.parametrize("optimizer", ["adam", "[rmsprop: {weights: linear_1, lr: 1e-3}, sgd: {lr: 1e-2}]"])
def test_a_training_after_it_has_the_bits_of_one_without(optimizer: str, tmp_path: Path) -> None:
    alone = networks.train(tmp_path, DIGITS % optimizer)
    after = networks.Trained(networks.prepare_training(networks.checked(tmp_path, DIGITS % optimizer)))
    before, generator = {n: v.clone() for n, v in after.ready.network.state_dict().items()}, torch.get_rng_state()
    found = range_of(after.ready)
    assert found.fell and 1e-4 < found.tenth < 1
    assert torch.equal(torch.get_rng_state(), generator)
    for name, value in after.ready.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    Training(after.ready.task, after, after, TrainingState()).run()
    trained = networks.Trained(networks.prepare_training(networks.checked(tmp_path, DIGITS % optimizer)))
    Training(trained.ready.task, trained, trained, TrainingState()).run()
    for name, value in trained.ready.network.state_dict().items():
        assert torch.equal(value, after.ready.network.state_dict()[name]), name
    assert [e["train/loss"] for e in alone.epochs] == [e["train/loss"] for e in after.epochs]


def test_its_steps_are_of_as_many_rows_as_those_of_the_training(tmp_path: Path) -> None:
    plain = (
        DIGITS.replace("{dropout: 0.3}, ", "")
        .replace("batch_norm, ", "")
        .replace("augment: [gaussian_noise: 0.1], ", "")
    )
    found = [
        range_of(
            networks.prepare_training(networks.checked(tmp_path, plain % "sgd", f"train.batch_size={size}", times))
        )
        for size, times in ((256, "train.accumulate=1"), (32, "train.accumulate=8"))
    ]
    assert found[1].losses == pytest.approx(found[0].losses, rel=1e-3)


def test_a_first_loss_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,y\n" + "1e30,1\n" * 20)
    with pytest.raises(RunError, match="the loss is inf in the first step; try `preprocess"):
        range_of(networks.prepare_training(networks.checked(tmp_path, QUADRATIC)))


def test_a_smoothed_loss_is_the_mean_around_its_step() -> None:
    losses = [float(n * n) for n in range(9)]
    smoothed = _smoothed(losses)
    assert smoothed[0] == pytest.approx((0 + 1 + 4 + 9) / 4) and smoothed[-1] == pytest.approx((25 + 36 + 49 + 64) / 4)
    assert smoothed[4] == pytest.approx(sum(losses[1:8]) / WIDTH)


def test_the_suggestions_are_the_steepest_fall_and_a_tenth_of_the_least_loss() -> None:
    rates = tuple(10.0 ** (n - 25) for n in range(25))
    found = RangeTest(rates, (2.0,) * 20 + (1.9, 1.0, 0.9, 0.8, 3.0))
    assert (found.fell, found.steepest, found.tenth) == (True, rates[20], pytest.approx(rates[23] / 10))


def test_a_fall_by_chance_is_none() -> None:
    generator = torch.Generator().manual_seed(0)
    rates = tuple(FIRST * 1.2**n for n in range(STEPS))
    drawn = (2 + torch.randn(300, STEPS, generator=generator)).tolist()
    assert sum(RangeTest(rates, _smoothed(losses)).fell for losses in drawn) <= 3
    assert not RangeTest(rates, (2.0,) * STEPS).fell
