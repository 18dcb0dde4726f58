"""Every schedule, held against torch's scheduler at whole epochs and against its formula in between."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws
from torch.optim import lr_scheduler

from dlrun.components.schedules import Schedule
from dlrun.language.component import choose
from dlrun.language.kinds import kinds

KINDS = kinds("schedules")


def schedule(written: Any) -> Schedule:
    chosen = choose("schedules", written)
    assert isinstance(chosen, Schedule)
    return chosen


def torchs_rates(scheduler: Any, lr: float, epochs: int, **settings: Any) -> list[float]:
    """The learning rate of each epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr)
    stepping = scheduler(optimizer, **settings)
    rates = []
    for _ in range(epochs):
        rates.append(stepping.get_last_lr()[0])
        optimizer.step()
        stepping.step()
    return rates


def our_rates(written: Any, lr: float, epochs: int, steps_per_epoch: int) -> list[float]:
    """The learning rate at the first step of each epoch."""
    steps, chosen = epochs * steps_per_epoch, schedule(written)
    return [lr * chosen.at(lr, epoch * steps_per_epoch, steps, steps_per_epoch) for epoch in range(epochs)]


rates = st.floats(1e-5, 1)
gammas = st.floats(0.1, 1.5)
few = st.integers(1, 12)


@draws(60)
@given(rates, gammas, few, few, few)
def test_step_is_torchs_step_lr(lr: float, gamma: float, size: int, epochs: int, steps_per_epoch: int) -> None:
    expected = torchs_rates(lr_scheduler.StepLR, lr, epochs, step_size=size, gamma=gamma)
    for written in (f"{size} epochs", f"{size * steps_per_epoch} steps", size):
        ours = our_rates({"step": {"step_size": written, "gamma": gamma}}, lr, epochs, steps_per_epoch)
        assert ours == pytest.approx(expected, rel=1e-9)


@draws(60)
@given(rates, gammas, few, few)
def test_exponential_is_torchs_exponential_lr(lr: float, gamma: float, epochs: int, steps_per_epoch: int) -> None:
    expected = torchs_rates(lr_scheduler.ExponentialLR, lr, epochs, gamma=gamma)
    assert our_rates({"exponential": gamma}, lr, epochs, steps_per_epoch) == pytest.approx(expected, rel=1e-9)


@draws(60)
@given(rates, st.just(0.0) | st.floats(1e-30, 1e-5), few, few)
def test_cosine_annealing_is_torchs_over_the_whole_training(
    lr: float, eta_min: float, epochs: int, steps_per_epoch: int
) -> None:
    expected = torchs_rates(lr_scheduler.CosineAnnealingLR, lr, epochs, T_max=epochs, eta_min=eta_min)
    for settings in ({}, {"T_max": epochs}, {"T_max": f"{epochs * steps_per_epoch} steps"}):
        ours = our_rates({"cosine_annealing": {"eta_min": eta_min, **settings}}, lr, epochs, steps_per_epoch)
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_cosine_annealing_is_halfway_at_half_time_and_stays_at_its_end() -> None:
    chosen = schedule({"cosine_annealing": {"T_max": "4 epochs", "eta_min": 0.02}})
    at = [0.1 * chosen.at(0.1, step, 100, 10) for step in (0, 20, 40, 41, 99)]
    assert at == pytest.approx([0.1, 0.06, 0.02, 0.02, 0.02])


def test_cosine_annealing_falls_at_every_step_of_a_whole_training() -> None:
    chosen = schedule("cosine_annealing")
    factors = [chosen.at(0.1, step, 30, 10) for step in range(30)]
    assert factors[0] == 1
    assert all(later < earlier for earlier, later in pairwise(factors))
    assert factors[-1] == pytest.approx((1 + math.cos(math.pi * 29 / 30)) / 2)


def test_exponential_falls_within_an_epoch_too() -> None:
    chosen = schedule({"exponential": 0.25})
    assert [chosen.at(1.0, step, 4, 2) for step in range(4)] == pytest.approx([1, 0.5, 0.25, 0.125])


def test_step_changes_at_its_step_and_not_one_later_whatever_the_rounding() -> None:
    # 29 / 100 * 100 is 28.999999999999996
    for steps_per_epoch in range(1, 120):
        for size in range(1, 60):
            chosen = schedule({"step": {"step_size": f"{size} steps", "gamma": 0.5}})
            pair = [chosen.at(1.0, step, 10**4, steps_per_epoch) for step in (size - 1, size)]
            assert pair == [1.0, 0.5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_warmup_grows_evenly_and_then_the_schedule_begins_at_its_own_start(kind: str) -> None:
    warmed: list[int] = []

    @draws(80)
    @given(components("schedules", kind), rates, st.integers(20, 60), few)
    def holds(chosen: Any, lr: float, epochs: int, steps_per_epoch: int) -> None:
        warmup = chosen.warmup.in_steps(steps_per_epoch)
        steps = epochs * steps_per_epoch
        factors = [chosen.at(lr, step, steps, steps_per_epoch) for step in range(min(warmup + 1, steps))]
        rise = 1 / (warmup + 1)
        assert factors[:warmup] == pytest.approx([rise * (step + 1) for step in range(len(factors[:warmup]))])
        if warmup < steps:
            # The rate reaches the optimizer's own right after the warmup, as if training began there.
            assert factors[warmup] == chosen.factor(lr, 0, (steps - warmup) / steps_per_epoch, steps_per_epoch)
            warmed.append(warmup)

    holds()
    assert any(warmed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_is_never_negative_nor_anything_but_a_number(kind: str) -> None:
    @draws(60)
    @given(components("schedules", kind), rates, st.integers(1, 60), few)
    def holds(chosen: Any, lr: float, steps: int, steps_per_epoch: int) -> None:
        for step in range(steps):
            factor = chosen.at(lr, step, steps, steps_per_epoch)
            assert math.isfinite(factor)
            assert factor >= 0

    holds()


def test_two_epochs_of_warmup_are_the_same_as_their_steps() -> None:
    for written in ("2 epochs", 2, "20 steps"):
        chosen = schedule({"cosine_annealing": {"warmup": written}})
        factors = [chosen.at(0.1, step, 100, 10) for step in (0, 9, 19, 20, 60)]
        assert factors == pytest.approx([1 / 21, 10 / 21, 20 / 21, 1, 0.5])
