"""Every optimizer, held against torch's plainest form of it and against the formula in its docstring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from pydantic import ValidationError
from strategies import components, draws
from torch.overrides import TorchFunctionMode

from dlrun.components.optimizers import Optimizer
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.messages import setting_problems

KINDS = kinds("optimizers")
TORCHS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def some_weights() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(5)
    shapes = [(3, 2), (4,)]
    return [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in shapes]


class Moving:
    """One of ours with its weights, used as torch's are."""

    def __init__(self, optimizer: Optimizer, weights: list[torch.nn.Parameter]):
        self.optimizer, self.weights, self.state = optimizer, weights, optimizer.begin(weights)

    def zero_grad(self) -> None:
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        grads = [weight.grad for weight in self.weights if weight.grad is not None]
        self.optimizer.step(list(self.weights), grads, self.state, self.optimizer.lr)


def three_steps(optimizer: torch.optim.Optimizer | Moving, weights: list[torch.nn.Parameter]) -> None:
    """Descend on a sum of fourth powers, so that every step has another gradient."""
    for _ in range(3):
        optimizer.zero_grad()
        torch.stack([(weight - 0.3).pow(4).sum() for weight in weights]).sum().backward()
        optimizer.step()


def built(written: Any, weights: list[torch.nn.Parameter]) -> Moving:
    optimizer = choose("optimizers", written)
    assert isinstance(optimizer, Optimizer)
    return Moving(optimizer, weights)


def test_every_optimizer_has_a_judge() -> None:
    assert set(TORCHS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_three_steps_are_those_of_torchs_own_optimizer_written_as_a_loop(kind: str) -> None:
    @draws(60)
    @given(components("optimizers", kind))
    def holds(optimizer: Any) -> None:
        ours, theirs = some_weights(), some_weights()
        three_steps(Moving(optimizer, ours), ours)
        three_steps(TORCHS[kind](theirs, **optimizer.model_dump(), foreach=False), theirs)
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, equal_nan=True)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_kept_for_each_weight_are_as_many_as_said(kind: str) -> None:
    @draws(60)
    @given(components("optimizers", kind))
    def holds(optimizer: Any) -> None:
        weights = some_weights()
        moving = Moving(optimizer, weights)
        three_steps(moving, weights)
        for number, weight in enumerate(weights):
            kept = [tensors[number] for tensors in moving.state.values()]
            assert sum(value.numel() == weight.numel() for value in kept) == optimizer.state_per_weight()

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_no_optimizer_walks_through_its_weights_one_by_one(kind: str) -> None:
    counts = []
    for times in (1, 20):
        weights = [weight for _ in range(times) for weight in some_weights()]
        moving = built(kind, weights)
        three_steps(moving, weights)
        grads = [torch.ones_like(weight) for weight in weights]
        with torch.no_grad(), Calls() as calls:
            moving.optimizer.step(list(weights), grads, moving.state, 0.1)
        counts.append(calls.count)
    assert counts[0] == counts[1] > 0


class Calls(TorchFunctionMode):
    """Counts the calls of torch's functions."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


Moves = Iterator[Callable[[float, float], float]]


def sgd(lr: float, momentum: float, dampening: float, nesterov: bool) -> Moves:
    v = math.nan
    while True:

        def move(w: float, g: float) -> float:
            nonlocal v
            v = g if math.isnan(v) else momentum * v + (1 - dampening) * g
            return w - lr * (g + momentum * v if nesterov else v)

        yield move


def adam(lr: float, b1: float, b2: float, eps: float, decay: float) -> Moves:
    m = v = 0.0
    t = 0
    while True:
        t += 1

        def move(w: float, g: float, t: int = t) -> float:
            nonlocal m, v
            w -= lr * decay * w
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            return w - lr * m / (1 - b1**t) / (math.sqrt(v / (1 - b2**t)) + eps)

        yield move


def rmsprop(lr: float, alpha: float, eps: float) -> Moves:
    v = 0.0
    while True:

        def move(w: float, g: float) -> float:
            nonlocal v
            v = alpha * v + (1 - alpha) * g**2
            return w - lr * g / (math.sqrt(v) + eps)

        yield move


@pytest.mark.parametrize(
    ("written", "moves"),
    [
        ({"sgd": 0.1}, sgd(0.1, 0, 0, False)),
        ({"sgd": {"lr": 0.1, "momentum": 0.9}}, sgd(0.1, 0.9, 0, False)),
        ({"sgd": {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}}, sgd(0.1, 0.9, 0.4, False)),
        ({"sgd": {"lr": 0.1, "momentum": 0.9, "nesterov": True}}, sgd(0.1, 0.9, 0, True)),
        ("adam", adam(1e-3, 0.9, 0.999, 1e-8, 0)),
        ({"adam": {"lr": 0.1, "betas": (0.5, 0.6), "eps": 0.1}}, adam(0.1, 0.5, 0.6, 0.1, 0)),
        ("adamw", adam(1e-3, 0.9, 0.999, 1e-8, 0.01)),
        ({"adamw": {"lr": 0.1, "weight_decay": 0.5}}, adam(0.1, 0.9, 0.999, 1e-8, 0.5)),
        ("rmsprop", rmsprop(1e-2, 0.99, 1e-8)),
        ({"rmsprop": {"lr": 0.1, "alpha": 0.5, "eps": 0.2}}, rmsprop(0.1, 0.5, 0.2)),
    ],
)
def test_five_steps_follow_the_formula_in_the_docstring(written: Any, moves: Moves) -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer, w = built(written, [weight]), 1.0
    for _ in range(5):
        weight.grad = 4 * (weight.detach() - 0.3) ** 3
        optimizer.step()
        w = next(moves)(w, 4 * (w - 0.3) ** 3)
        assert weight.item() == pytest.approx(w, rel=1e-12)


def test_sgds_weight_decay_is_the_gradient_of_an_l2_penalty_of_half_its_size() -> None:
    decayed, penalized = some_weights(), some_weights()
    with_decay, plain = (
        built({"sgd": {"lr": 0.1, "weight_decay": 0.2}}, decayed),
        built({"sgd": 0.1}, penalized),
    )
    for _ in range(3):
        for weights, optimizer, coefficient in ((decayed, with_decay, 0.0), (penalized, plain, 0.1)):
            optimizer.zero_grad()
            penalty = torch.stack([weight.square().sum() for weight in weights]).sum()
            (torch.stack([weight.pow(3).sum() for weight in weights]).sum() + coefficient * penalty).backward()
            optimizer.step()
    for one, other in zip(decayed, penalized, strict=True):
        torch.testing.assert_close(one, other)


def test_adams_weight_decay_goes_through_the_gradient_and_adamws_past_it() -> None:
    # With a gradient of 0, adam's first step is lr * sign(weight_decay * w); adamw's is lr * weight_decay * w.
    for kind, expected in (("adam", 2.0 - 0.1), ("adamw", 2.0 - 0.1 * 0.5 * 2.0)):
        weight = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        weight.grad = torch.zeros_like(weight)
        built({kind: {"lr": 0.1, "weight_decay": 0.5}}, [weight]).step()
        assert weight.item() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_without_a_plain_momentum_is_refused_as_torch_refuses_it(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("optimizers", {"sgd": {"nesterov": True, **settings}})
    assert setting_problems(raised.value)[0].message == "nesterov needs a momentum above 0 and a dampening of 0"
    with pytest.raises(ValueError, match="Nesterov momentum requires"):
        torch.optim.SGD(some_weights(), 0.1, nesterov=True, **settings)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"adam": {"lr": 0}}, "'lr' must be greater than 0; received 0"),
        ({"adam": {"lr": -0.1}}, "'lr' must be greater than 0; received -0.1"),
        ({"adam": {"betas": (0.9, 1.0)}}, "must be less than 1"),
        ({"adam": {"betas": (0.9,)}}, "betas"),
        ({"rmsprop": {"alpha": 1.0}}, "'alpha' must be less than 1; received 1.0"),
        ({"sgd": {"momentum": -0.1}}, "'momentum' must be at least 0; received -0.1"),
        ({"sgd": {"learning_rate": 0.1}}, "unknown setting 'learning_rate'; did you mean 'lr'?"),
    ],
)
def test_settings_that_make_no_sense_are_refused(written: Any, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("optimizers", written)
    assert any(message in problem.message for problem in setting_problems(raised.value))
