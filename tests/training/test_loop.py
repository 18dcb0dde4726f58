"""The parts of the loop."""

import math

import pytest
import torch

from dlrun.errors import RunError
from dlrun.length import evaluation_batch
from dlrun.training.loop import mix, permutation
from dlrun.training.losses import Losses, State

CPU = torch.device("cpu")


def test_an_order_is_a_permutation_and_a_function_of_seed_and_epoch() -> None:
    order = permutation(7, 3, 1000, CPU)
    assert sorted(order.tolist()) == list(range(1000))
    torch.manual_seed(99)  # the global generator has no say
    assert torch.equal(order, permutation(7, 3, 1000, CPU))
    assert not torch.equal(order, permutation(7, 4, 1000, CPU))
    assert not torch.equal(order, permutation(8, 3, 1000, CPU))


def test_seeds_of_neighbouring_epochs_and_seeds_do_not_meet() -> None:
    assert len({mix(seed, epoch) for seed in range(100) for epoch in range(100)}) == 10_000
    assert all(0 <= mix(seed, 5) < 2**63 for seed in (0, 1, 2**63 - 1))


def test_losses_are_averaged_over_rows_and_read_in_order_when_the_buffer_is_full(monkeypatch) -> None:
    monkeypatch.setattr("dlrun.training.losses.BUFFER", 2)
    losses = Losses(5, State(), CPU)
    for value, rows in ((1.0, 4), (2.0, 4), (3.0, 2)):
        losses.add(torch.tensor(value), torch.tensor(0.5), rows)
    assert losses.steps == 2  # the third is not read yet
    losses.read()
    assert losses.mean() == pytest.approx((4 + 8 + 6) / 10)
    assert losses.penalty() == {"train/penalty": 0.5}


def test_a_loss_that_is_not_finite_is_told_with_its_own_step() -> None:
    losses = Losses(5, State(epoch=2), CPU)
    for value in (1.0, 2.0, math.nan, 4.0):
        losses.add(torch.tensor(value), None, 1)
    with pytest.raises(RunError, match="nan in epoch 3, step 3"):
        losses.read()


def test_nothing_is_read_before_the_first_look() -> None:
    assert math.isnan(Losses(3, State(), CPU).mean())


@pytest.mark.parametrize(("batch", "size"), [(1, 4), (64, 256), (1000, 1024), (5000, 5000)])
def test_more_rows_at_a_time_fit_without_training(batch, size) -> None:
    assert evaluation_batch(batch) == size
