"""Every schedule, held against torch's scheduler or the formula of its paper."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import components, draws
from torch.optim import lr_scheduler

from dlrun.components.schedules import FollowingSchedule, Schedule
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds

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


LR = 0.2
STEPS = 100
EPOCH = 7
"""Steps of an epoch; the rates are compared at every step, so durations in steps lie within epochs."""


def stable_then_falling(fall: Callable[[float], float]) -> Any:
    """Hu and others, 2024: a constant rate, and the fall in the last 40 of the 100 steps."""

    def scheduler(optimizer: torch.optim.Optimizer) -> Any:
        return lr_scheduler.LambdaLR(optimizer, lambda t: 1.0 if t <= 60 else fall((t - 60) / 40))

    return scheduler


JUDGES: dict[str, list[tuple[dict[str, Any], Callable[[torch.optim.Optimizer], Any]]]] = {
    "constant": [({"factor": 0.3, "total_iters": "11 steps"}, lambda o: lr_scheduler.ConstantLR(o, 0.3, 11))],
    "cosine_annealing": [
        ({"eta_min": 0.01}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.01)),
        ({}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
    ],
    "cosine_annealing_warm_restarts": [
        ({"T_0": "9 steps"}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9)),
        (
            {"T_0": "5 steps", "T_mult": 2, "eta_min": 0.01},
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, 0.01),
        ),
        ({"T_0": "4 steps", "T_mult": 3}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 3)),
    ],
    "cyclic": [
        (
            {"base_lr": 0.01, "step_size_up": "8 steps"},
            lambda o: lr_scheduler.CyclicLR(o, 0.01, LR, 8, cycle_momentum=False),
        ),
        (
            {"base_lr": 0.01, "step_size_up": "8 steps", "step_size_down": "3 steps", "mode": "triangular2"},
            lambda o: lr_scheduler.CyclicLR(o, 0.01, LR, 8, 3, "triangular2", cycle_momentum=False),
        ),
        (
            {"base_lr": 0.0, "step_size_up": "3 steps", "mode": "exp_range", "gamma": 0.97},
            lambda o: lr_scheduler.CyclicLR(o, 0.0, LR, 3, None, "exp_range", 0.97, cycle_momentum=False),
        ),
    ],
    "exponential": [({"gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, 0.9 ** (1 / EPOCH)))],
    "fractional": [({"k": 0.7}, lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.7 * t / EPOCH)))],
    "linear": [
        (
            {"start_factor": 0.25, "end_factor": 0.75, "total_iters": "31 steps"},
            lambda o: lr_scheduler.LinearLR(o, 0.25, 0.75, 31),
        ),
        ({"end_factor": 0.0}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, STEPS)),
    ],
    "multi_step": [
        ({"milestones": ("20 steps", "33 steps"), "gamma": 0.3}, lambda o: lr_scheduler.MultiStepLR(o, [20, 33], 0.3))
    ],
    "one_cycle": [
        ({}, lambda o: lr_scheduler.OneCycleLR(o, LR, STEPS, cycle_momentum=False)),
        (
            {"pct_start": 0.4, "anneal_strategy": "linear", "div_factor": 10.0, "final_div_factor": 100.0},
            lambda o: lr_scheduler.OneCycleLR(o, LR, STEPS, None, None, 0.4, "linear", False, 0.0, 0.0, 10.0, 100.0),
        ),
        (
            {"pct_start": 0.2, "three_phase": True},
            lambda o: lr_scheduler.OneCycleLR(o, LR, STEPS, pct_start=0.2, three_phase=True, cycle_momentum=False),
        ),
    ],
    "polynomial": [
        ({"power": 2.5}, lambda o: lr_scheduler.PolynomialLR(o, STEPS, 2.5)),
        ({"total_iters": "30 steps"}, lambda o: lr_scheduler.PolynomialLR(o, 30)),
    ],
    "step": [({"step_size": "13 steps", "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 13, 0.5))],
    "warmup_stable_decay": [
        ({"decay": "40 steps"}, stable_then_falling(lambda p: 1 - p)),
        (
            {"decay": "40 steps", "anneal_strategy": "cos", "eta_min": 0.02},
            stable_then_falling(lambda p: 0.1 + 0.9 * (1 + math.cos(math.pi * p)) / 2),
        ),
        ({"decay": "40 steps", "anneal_strategy": "sqrt"}, stable_then_falling(lambda p: 1 - math.sqrt(p))),
    ],
}
"""Settings of each kind, and torch's scheduler that steps once a step."""
FOLLOWING = [kind for kind in KINDS if issubclass(find("schedules", kind), FollowingSchedule)]


def test_every_schedule_has_a_judge() -> None:
    assert {*JUDGES, *FOLLOWING} == set(KINDS) and not set(JUDGES) & set(FOLLOWING)


@pytest.mark.parametrize(
    ("kind", "settings", "scheduler"), [(kind, *case) for kind, cases in JUDGES.items() for case in cases]
)
def test_a_hundred_steps_have_torchs_rates_to_twelve_digits(
    kind: str, settings: dict[str, Any], scheduler: Callable[[torch.optim.Optimizer], Any]
) -> None:
    expected = torchs_rates(scheduler, LR, STEPS)
    chosen = schedule({kind: settings})
    ours = [LR * chosen.at(LR, step, STEPS, EPOCH) for step in range(STEPS)]
    assert ours == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert len({*ours}) > 1


def torchs_momenta(scheduler: Callable[[torch.optim.Optimizer], Any]) -> list[float]:
    """The momentum of each step."""
    optimizer = torch.optim.SGD([torch.zeros(1)], LR, momentum=0.8)
    stepping, momenta = scheduler(optimizer), []
    for _ in range(STEPS):
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        stepping.step()
    return momenta


@pytest.mark.parametrize(
    ("written", "scheduler"),
    [
        (
            {"one_cycle": {"div_factor": 0.8 / 0.95, "final_div_factor": 1.0}},
            lambda o: lr_scheduler.OneCycleLR(o, LR, STEPS, base_momentum=0.8, max_momentum=0.95),
        ),
        (
            {"one_cycle": {"div_factor": 0.8 / 0.95, "final_div_factor": 1.0, "three_phase": True}},
            lambda o: lr_scheduler.OneCycleLR(o, LR, STEPS, base_momentum=0.8, max_momentum=0.95, three_phase=True),
        ),
        (
            {"cyclic": {"base_lr": 0.9, "step_size_up": "8 steps", "step_size_down": "3 steps"}},
            lambda o: lr_scheduler.CyclicLR(o, 0.01, LR, 8, 3, base_momentum=0.8, max_momentum=0.9),
        ),
    ],
)
def test_a_momentum_moves_against_the_rate_as_torchs_does(
    written: Any, scheduler: Callable[[torch.optim.Optimizer], Any]
) -> None:
    chosen = schedule(written)
    ours = [0.8 * chosen.at(0.8, step, STEPS, EPOCH) for step in range(STEPS)]
    assert ours == pytest.approx(torchs_momenta(scheduler), rel=1e-12)
    assert max(ours) > 0.88 > 0.81 > min(ours)


def test_a_straight_line_rises_too() -> None:
    chosen = schedule({"linear": {"of": "momentum", "start_factor": 1.0, "end_factor": 1.5, "total_iters": "4 steps"}})
    assert [0.6 * chosen.at(0.6, step, 10, 2) for step in (0, 2, 4, 9)] == pytest.approx([0.6, 0.75, 0.9, 0.9])


@pytest.mark.parametrize("value", [0.5, -0.5])
def test_reduce_on_plateau_lowers_a_number_below_0_too(value: float) -> None:
    chosen = schedule({"reduce_on_plateau": {"patience": 0, "factor": 0.5}})
    assert isinstance(chosen, FollowingSchedule)
    assert chosen.after_epoch(chosen.begin(), value, math.nan, False)["rate"] == 0.5


values = st.floats(-10, 10) | st.just(math.nan)


@draws(100)
@given(components("schedules", "reduce_on_plateau"), st.lists(values, min_size=30, max_size=30), st.booleans())
def test_reduce_on_plateau_is_torchs(chosen: Any, measured: list[float], rising: bool) -> None:
    settings = chosen.model_dump(exclude={"warmup", "monitor", "of"})
    optimizer = torch.optim.SGD([torch.zeros(1)], LR)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, "max" if rising else "min", **settings)
    state = chosen.begin()
    for value in measured:
        state = chosen.after_epoch(state, LR, value, rising)
        theirs.step(value)
        assert LR * state["rate"] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


@draws(60)
@given(st.data())
def test_a_state_comes_back_from_a_file_as_it_was(data: st.DataObject) -> None:
    chosen = data.draw(components("schedules", data.draw(st.sampled_from(FOLLOWING))))
    state = chosen.begin()
    for value in data.draw(st.lists(values, max_size=12)):
        kept = json.loads(json.dumps(state))
        state, again = chosen.after_epoch(state, LR, value, True), chosen.after_epoch(kept, LR, value, True)
        assert repr(state) == repr(again)


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
        if chosen.needed_steps(steps_per_epoch) >= steps:
            return
        factors = [chosen.at(lr, step, steps, steps_per_epoch) for step in range(warmup + 1)]
        # The rate reaches the schedule's first one right after the warmup, as if training began there.
        first = chosen.relative_rate(lr, 0, (steps - warmup) / steps_per_epoch, steps_per_epoch)
        assert factors[warmup] == first
        rise = first / (warmup + 1)
        assert factors[:warmup] == pytest.approx([rise * (step + 1) for step in range(warmup)])
        if warmup:
            warmed.append(warmup)

    holds()
    assert any(warmed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_is_never_negative_nor_anything_but_a_number(kind: str) -> None:
    @draws(60)
    @given(components("schedules", kind), rates, st.integers(1, 60), few)
    def holds(chosen: Any, lr: float, steps: int, steps_per_epoch: int) -> None:
        if chosen.needed_steps(steps_per_epoch) >= steps:
            return
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
