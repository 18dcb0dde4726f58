"""Every optimizer, held against torch's plainest form of it and against the formula in its docstring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import networks
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from pydantic import ValidationError
from strategies import components, draws
from torch.overrides import TorchFunctionMode

from dlrun.components.optimizers import Optimizer, SearchingOptimizer
from dlrun.components.optimizers._strong_wolfe import MOST
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.messages import setting_problems
from dlrun.training.speed.flat_weights import FlatWeights
from dlrun.training.step import TrainedWeights

KINDS = kinds("optimizers")
STEPPING = networks.STEPPING
"""Those that move by the gradients alone."""
Closure = Callable[[], torch.Tensor]
"""Gives the loss, and the weights their gradients, as torch's optimizers take it."""


class LionLoop:
    """Chen and others, 2023, algorithm 2, as a loop over the weights; torch has no lion."""

    def __init__(self, weights: list[torch.nn.Parameter], lr: float, betas: tuple[float, float], weight_decay: float):
        self.weights, self.lr, self.betas, self.decay = weights, lr, betas, weight_decay
        self.means = [np.zeros(weight.shape) for weight in weights]

    def step(self, closure: Closure) -> None:
        closure()
        for place, weight in enumerate(self.weights):
            assert weight.grad is not None
            w, g, m, (b1, b2) = weight.detach().numpy(), weight.grad.numpy(), self.means[place], self.betas
            w -= self.lr * (np.sign(b1 * m + (1 - b1) * g) + self.decay * w)
            self.means[place] = b2 * m + (1 - b2) * g


def one_iteration(weights: list[torch.nn.Parameter], line_search: str, **settings: Any) -> torch.optim.LBFGS:
    """torch's own L-BFGS, which does many iterations a step, and counts each look at the loss, the first one too."""
    search = None if line_search == "none" else line_search
    return torch.optim.LBFGS(weights, max_iter=1, max_eval=1 + MOST, line_search_fn=search, **settings)


JUDGES: dict[str, Callable[..., Any]] = {
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "adamw": torch.optim.AdamW,
    "lbfgs": one_iteration,
    "lion": LionLoop,
    "muon": torch.optim.Muon,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
"""torch's own optimizer of each kind, or a loop of the paper."""
ONE_FORM = ("lbfgs", "lion", "muon")
"""Kinds whose judge has one form; the others' has a plain one too, a loop over the weights."""


class Judge:
    """The judge of an optimizer with the same settings; torch's keeps its own numbers in float64, as ours do."""

    def __init__(self, optimizer: Any, weights: list[torch.nn.Parameter]):
        plainest = {} if optimizer.kind in ONE_FORM else {"foreach": False}
        self.own = JUDGES[optimizer.kind](weights, **optimizer.model_dump(exclude={"weights", "schedule"}), **plainest)

    def step(self, closure: Closure) -> None:
        torch.set_default_dtype(torch.float64)
        try:
            self.own.step(closure)
        finally:
            torch.set_default_dtype(torch.float32)


def some_weights(optimizer: Any = None) -> list[torch.nn.Parameter]:
    """Weights of several shapes, of those that the optimizer can move."""
    generator = torch.Generator().manual_seed(5)
    shapes = [(3, 2), (4,), (2, 5), (2, 3, 2)]
    weights = [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in shapes]
    return [weight for weight in weights if optimizer is None or optimizer.suits(tuple(weight.shape))]


class Moving:
    """One of ours with its weights, used as torch's are."""

    def __init__(self, optimizer: Optimizer, weights: list[torch.nn.Parameter]):
        searches = isinstance(optimizer, SearchingOptimizer)
        self.optimizer, self.weights = optimizer, FlatWeights(weights) if searches else TrainedWeights(weights)
        self.state = optimizer.begin(self.weights.values)

    @torch.no_grad()
    def step(self, closure: Closure) -> None:
        def evaluate() -> tuple[torch.Tensor, list[torch.Tensor]]:
            with torch.enable_grad():
                loss = closure().detach()
            grads = [weight.grad for weight in self.weights.parameters if weight.grad is not None]
            return loss, self.weights.laid_out(grads)

        self.move(evaluate)

    def move(self, evaluate: Callable[[], tuple[torch.Tensor, list[torch.Tensor]]]) -> None:
        (loss, grads), optimizer, values = evaluate(), self.optimizer, self.weights.values
        if not isinstance(optimizer, SearchingOptimizer):
            optimizer.step(values, grads, self.state, optimizer.lr, optimizer.count(self.state))
            return

        def again() -> tuple[torch.Tensor, torch.Tensor]:
            loss, (gradient,) = evaluate()
            return loss, gradient

        optimizer.search(values[0], loss, grads[0], self.state, optimizer.lr, again)


Function = Callable[[list[torch.nn.Parameter]], torch.Tensor]


def powers(weights: list[torch.nn.Parameter]) -> torch.Tensor:
    """A sum of fourth powers, so that every step has another gradient."""
    return torch.stack([(weight - 0.3).pow(4).sum() for weight in weights]).sum()


def closure_of(function: Function, weights: list[torch.nn.Parameter]) -> Closure:
    def closure() -> torch.Tensor:
        for weight in weights:
            weight.grad = None
        loss = function(weights)
        loss.backward()
        return loss

    return closure


def descend(
    mover: Moving | Judge, weights: list[torch.nn.Parameter], function: Function = powers, steps: int = 3
) -> list[torch.nn.Parameter]:
    """Take some steps down a function."""
    for _ in range(steps):
        mover.step(closure_of(function, weights))
    return weights


def built(written: Any, weights: list[torch.nn.Parameter]) -> Moving:
    optimizer = choose("optimizers", written)
    assert isinstance(optimizer, Optimizer)
    return Moving(optimizer, weights)


def test_every_optimizer_has_a_judge() -> None:
    assert set(JUDGES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_three_steps_are_those_of_torchs_own_optimizer_written_as_a_loop(kind: str) -> None:
    @draws(60)
    @given(components("optimizers", kind))
    def holds(optimizer: Any) -> None:
        # A tiny first rate of a line search is followed by one that depends on differences of losses: on rounding.
        assume(optimizer.lr > 1e-3 or kind in STEPPING)
        ours, theirs = some_weights(optimizer), some_weights(optimizer)
        descend(Moving(optimizer, ours), ours)
        descend(Judge(optimizer, theirs), theirs)
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, equal_nan=True)

    holds()


def ill_conditioned(weights: list[torch.nn.Parameter]) -> torch.Tensor:
    """A quadratic with curvatures from 1 to 1e4."""
    whole = torch.cat([weight.reshape(-1) for weight in weights])
    return (torch.logspace(0, 4, len(whole), dtype=torch.float64) * whole.square()).sum() / 2


def rosenbrock(weights: list[torch.nn.Parameter]) -> torch.Tensor:
    """Rosenbrock's valley, 1960, over all numbers in a row."""
    whole = torch.cat([weight.reshape(-1) for weight in weights])
    return (100 * (whole[1:] - whole[:-1].square()).square() + (1 - whole[:-1]).square()).sum()


OWN = {"lbfgs": [{}, {"history_size": 4}, {"line_search": "none", "lr": 0.1, "history_size": 20}]}
"""The settings of a kind for a hundred steps, where they are not those of all others."""
SETTINGS = [
    {kind: settings}
    for kind in KINDS
    for settings in OWN.get(kind, [{"lr": 1e-4, "weight_decay": decay} for decay in (0, 1e-2)])
]


@pytest.mark.parametrize("function", [ill_conditioned, rosenbrock])
@pytest.mark.parametrize("written", SETTINGS, ids=str)
def test_a_hundred_steps_are_those_of_torchs_own_optimizer_to_twelve_digits(written: Any, function: Function) -> None:
    optimizer: Any = choose("optimizers", written)
    start, ours, theirs = (some_weights(optimizer) for _ in range(3))
    descend(Moving(optimizer, ours), ours, function, 100)
    descend(Judge(optimizer, theirs), theirs, function, 100)
    for first, mine, other in zip(start, ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)
        assert mine.isfinite().all() and not torch.equal(mine, first)


def bits(weights: list[torch.nn.Parameter]) -> list[list[float]]:
    return [weight.reshape(-1).tolist() for weight in weights]


@pytest.mark.parametrize("function", [ill_conditioned, rosenbrock, powers])
@pytest.mark.parametrize("kind", networks.SEARCHING)
def test_an_optimizer_that_searches_ends_where_the_gradient_is_0_and_stays(kind: str, function: Function) -> None:
    weights = some_weights()
    moving = built(kind, weights)
    ended = bits(descend(moving, weights, function, 300))
    closure_of(function, weights)()
    assert max(weight.grad.abs().max().item() for weight in weights if weight.grad is not None) < 1e-3
    assert bits(descend(moving, weights, function, 10)) == ended


@pytest.mark.parametrize("kind", networks.SEARCHING)
def test_an_optimizer_that_searches_stays_inside_of_where_the_loss_is_a_number(kind: str) -> None:
    weights = [torch.nn.Parameter(torch.tensor([5.0, 0.01], dtype=torch.float64))]
    moving = built({kind: {"lr": 1e3}}, weights)
    descend(moving, weights, lambda weights: (weights[0] - weights[0].log()).sum(), 40)  # its minimum is at 1
    torch.testing.assert_close(weights[0], torch.ones_like(weights[0]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
@pytest.mark.parametrize("kind", networks.SEARCHING)
def test_an_optimizer_that_searches_does_not_move_by_a_gradient_of_no_use(kind: str, value: float) -> None:
    weights = some_weights()
    moving, start = built(kind, weights), bits(weights)
    descend(moving, weights, lambda weights: sum(((weight * value).sum() for weight in weights), torch.zeros(())))
    assert bits(weights) == start


@pytest.mark.parametrize("function", [ill_conditioned, rosenbrock])
@pytest.mark.parametrize("kind", [kind for kind in STEPPING if kind != "lion"])
def test_two_groups_move_as_torchs_parameter_groups(kind: str, function: Callable[..., torch.Tensor]) -> None:
    rates = (1e-4, 3e-5)
    optimizers = [built({kind: rate}, some_weights()).optimizer for rate in rates]
    ours, theirs = some_weights(optimizers[0]), some_weights(optimizers[0])
    groups = [Moving(optimizer, ours[number::2]) for number, optimizer in enumerate(optimizers)]
    judge = Judge(optimizers[0], theirs)
    judge.own.param_groups.clear()
    for number, rate in enumerate(rates):
        judge.own.add_param_group({"params": theirs[number::2], "lr": rate})
    for _ in range(100):
        closure_of(function, ours)()
        for group in groups:
            group.step(lambda: torch.zeros(()))
        judge.step(closure_of(function, theirs))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


NUMBERS = [(kind, name) for kind in KINDS for name in choose("optimizers", kind).changeable()]
MOVES = (0.3, 0.9, 0.6, 1.0, 0.5) * 4
"""The factor on a number in each step; all settings allow them."""
WRITTEN = {
    "sgd": {"momentum": 0.8, "dampening": 0.3},
    "rmsprop": {"momentum": 0.8},
    "adagrad": {"lr_decay": 0.5},
    "lion": {"lr": 0.1},
}
"""Settings without which others have no effect."""
LARGE = {
    "eps": 0.5,
    "lr": 0.02,
    "weight_decay": 0.5,
    "momentum_decay": 0.5,
    "tolerance_grad": 0.5,
    "tolerance_change": 0.5,
}
"""Values whose effect is larger than the rounding."""


def with_effect(kind: str, name: str) -> Any:
    """An optimizer whose number has a large effect, where it has any."""
    settings = dict(WRITTEN.get(kind, {}))
    settings |= {name: LARGE[name]} if name in LARGE else {}
    settings |= {"eps": 100.0} if (kind, name) == ("muon", "eps") else {}
    return choose("optimizers", {kind: settings})


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in NUMBERS if kind not in ONE_FORM])
def test_a_number_that_changes_between_steps_moves_the_weights_as_torchs_optimizer(kind: str, name: str) -> None:
    optimizer = with_effect(kind, name)
    ours, theirs, constant = (some_weights(optimizer) for _ in range(3))
    moving, judge, still = Moving(optimizer, ours), Judge(optimizer, theirs), Moving(optimizer, constant)
    (group,), value = judge.own.param_groups, optimizer.changeable()[name]
    for factor in MOVES:
        changed = moving.optimizer = optimizer.with_numbers({name: value * factor})
        setting = name.partition(".")[0]
        group[setting] = getattr(changed, setting)
        for each, weights in ((moving, ours), (judge, theirs), (still, constant)):
            each.step(closure_of(powers, weights))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)
    assert not all(torch.allclose(*pair, rtol=1e-9, atol=1e-9) for pair in zip(ours, constant, strict=True))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in NUMBERS if kind in ONE_FORM])
def test_a_number_that_changes_changes_the_steps(kind: str, name: str) -> None:
    optimizer = with_effect(kind, name)
    ours, constant = some_weights(optimizer), some_weights(optimizer)
    moving, still = Moving(optimizer, ours), Moving(optimizer, constant)
    for factor in MOVES:
        moving.optimizer = optimizer.with_numbers({name: optimizer.changeable()[name] * factor})
        for each, weights in ((moving, ours), (still, constant)):
            each.step(closure_of(powers, weights))
    assert not all(torch.allclose(*pair, rtol=1e-9, atol=1e-9) for pair in zip(ours, constant, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_kept_for_each_weight_are_as_many_as_said(kind: str) -> None:
    @draws(60)
    @given(components("optimizers", kind))
    def holds(optimizer: Any) -> None:
        weights = some_weights(optimizer)
        moving = Moving(optimizer, weights)
        descend(moving, weights)
        values = moving.weights.values
        of_weights = [tensors for tensors in moving.state.values() if len(tensors) == len(values) and tensors[0].ndim]
        for number, value in enumerate(values):
            kept = sum(tensors[number].numel() for tensors in of_weights)
            assert kept == optimizer.state_per_weight() * value.numel()
        alone = [tensors for tensors in moving.state.values() if not any(tensors is own for own in of_weights)]
        assert all(tensor.ndim == 0 for tensors in alone for tensor in tensors)

    holds()


@pytest.mark.parametrize("kind", STEPPING)
def test_what_is_counted_is_one_number_and_changes_alone(kind: str) -> None:
    @draws(30)
    @given(components("optimizers", kind))
    def holds(optimizer: Any) -> None:
        weights = TrainedWeights(some_weights(optimizer)).values
        state, start = optimizer.begin(weights), optimizer.begin(weights)
        optimizer.count(state)
        for name, tensors in state.items():
            assert [tensor.ndim for tensor in tensors] == (
                [0] if name in optimizer.counts else [w.ndim for w in weights]
            )
            assert (name in optimizer.counts) != all(map(torch.equal, tensors, start[name]))

    holds()


@pytest.mark.parametrize("kind", STEPPING)
def test_what_is_counted_depends_on_the_settings_that_are_said_alone(kind: str) -> None:
    @draws(60)
    @given(components("optimizers", kind), components("optimizers", kind))
    def holds(one: Any, other: Any) -> None:
        other = other.model_copy(update={name: getattr(one, name) for name in one.counted_by})
        weights = TrainedWeights(some_weights(one)).values
        states = one.begin(weights), other.begin(weights)
        for _ in range(3):
            counted = [optimizer.count(state) for optimizer, state in zip((one, other), states, strict=True)]
            torch.testing.assert_close(*counted, rtol=0, atol=0, equal_nan=True)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_no_optimizer_walks_through_its_weights_one_by_one(kind: str) -> None:
    counts = []
    for times in (1, 20):
        moving = built(kind, some_weights())
        weights = [weight for _ in range(times) for weight in some_weights(moving.optimizer)]
        moving = Moving(moving.optimizer, weights)
        descend(moving, weights)
        found = torch.ones(()), [torch.ones_like(value) for value in moving.weights.values]
        with torch.no_grad(), Calls() as calls:
            moving.move(lambda found=found: found)
        counts.append(calls.count)
    assert counts[0] == counts[1] > 0


class Calls(TorchFunctionMode):
    """Counts the calls of torch's functions, without the look at a tensor's shape."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += func.__name__ != "__get__"
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


def adagrad(lr: float, fall: float, start: float, eps: float) -> Moves:
    s, t = start, 0
    while True:
        t += 1

        def move(w: float, g: float, t: int = t) -> float:
            nonlocal s
            s += g**2
            return w - lr / (1 + (t - 1) * fall) * g / (math.sqrt(s) + eps)

        yield move


def adadelta(lr: float, rho: float, eps: float) -> Moves:
    v = u = 0.0
    while True:

        def move(w: float, g: float) -> float:
            nonlocal v, u
            v = rho * v + (1 - rho) * g**2
            d = math.sqrt(u + eps) / math.sqrt(v + eps) * g
            u = rho * u + (1 - rho) * d**2
            return w - lr * d

        yield move


def adamax(lr: float, b1: float, b2: float, eps: float) -> Moves:
    m = u = 0.0
    t = 0
    while True:
        t += 1

        def move(w: float, g: float, t: int = t) -> float:
            nonlocal m, u
            m, u = b1 * m + (1 - b1) * g, max(b2 * u, abs(g) + eps)
            return w - lr * m / (1 - b1**t) / u

        yield move


def nadam(lr: float, b1: float, b2: float, eps: float, rise: float) -> Moves:
    m = v = 0.0
    t = 0

    def c(t: int) -> float:
        return b1 * (1 - 0.96 ** (t * rise) / 2)

    def p(t: int) -> float:
        return math.prod(c(s) for s in range(1, t + 1))

    while True:
        t += 1

        def move(w: float, g: float, t: int = t) -> float:
            nonlocal m, v
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            ahead = c(t + 1) * m / (1 - p(t + 1)) + (1 - c(t)) * g / (1 - p(t))
            return w - lr * ahead / (math.sqrt(v / (1 - b2**t)) + eps)

        yield move


def radam(lr: float, b1: float, b2: float, eps: float) -> Moves:
    m = v = 0.0
    t, most = 0, 2 / (1 - b2) - 1
    while True:
        t += 1

        def move(w: float, g: float, t: int = t) -> float:
            nonlocal m, v
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            rho = most - 2 * t * b2**t / (1 - b2**t)
            if rho <= 5:
                return w - lr * m / (1 - b1**t)
            r = math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
            return w - lr * r * m / (1 - b1**t) * math.sqrt(1 - b2**t) / (math.sqrt(v) + eps)

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
        ("adagrad", adagrad(1e-2, 0, 0, 1e-10)),
        ({"adagrad": {"lr": 0.1, "lr_decay": 0.5, "initial_accumulator_value": 0.2}}, adagrad(0.1, 0.5, 0.2, 1e-10)),
        ("adadelta", adadelta(1.0, 0.9, 1e-6)),
        ({"adadelta": {"lr": 0.5, "rho": 0.6, "eps": 0.1}}, adadelta(0.5, 0.6, 0.1)),
        ("adamax", adamax(2e-3, 0.9, 0.999, 1e-8)),
        ({"adamax": {"lr": 0.1, "betas": (0.5, 0.6), "eps": 0.1}}, adamax(0.1, 0.5, 0.6, 0.1)),
        ("nadam", nadam(2e-3, 0.9, 0.999, 1e-8, 4e-3)),
        ({"nadam": {"lr": 0.1, "betas": (0.5, 0.6), "momentum_decay": 0.3}}, nadam(0.1, 0.5, 0.6, 1e-8, 0.3)),
        ("radam", radam(1e-3, 0.9, 0.999, 1e-8)),
        ({"radam": {"lr": 0.1, "betas": (0.5, 0.8), "eps": 0.1}}, radam(0.1, 0.5, 0.8, 0.1)),
        ({"radam": {"lr": 0.1, "betas": (0.5, 0.6)}}, radam(0.1, 0.5, 0.6, 1e-8)),  # never certain
    ],
)
def test_ten_steps_follow_the_formula_in_the_docstring(written: Any, moves: Moves) -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer, w = built(written, [weight]), 1.0
    for _ in range(10):
        weight.grad = 4 * (weight.detach() - 0.3) ** 3
        optimizer.step(lambda: torch.zeros(()))
        w = next(moves)(w, 4 * (w - 0.3) ** 3)
        assert weight.item() == pytest.approx(w, rel=1e-12)


def bfgs(function: Function, w: np.ndarray, lr: float, history: int, steps: int) -> np.ndarray:
    """Nocedal and Wright, 2006, equations 7.16 and 7.20, with the matrix H written out, at a constant rate."""

    def gradient(w: np.ndarray) -> np.ndarray:
        weight = torch.nn.Parameter(torch.tensor(w))
        closure_of(function, [weight])()
        assert weight.grad is not None
        return weight.grad.numpy()

    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    g = gradient(w)
    for step in range(steps):
        H = np.eye(len(w))
        if pairs:
            s, y = pairs[-1]
            H *= (y @ s) / (y @ y)
        for s, y in pairs[-history:]:
            V = np.eye(len(w)) - np.outer(y, s) / (y @ s)
            H = V.T @ H @ V + np.outer(s, s) / (y @ s)
        move = -lr * H @ g * (1 if step else min(1, 1 / np.abs(g).sum()))
        w, last = w + move, g
        g = gradient(w)
        if (g - last) @ move > 1e-10:
            pairs.append((move, g - last))
    return w


@pytest.mark.parametrize("history", [2, 10])
def test_lbfgs_moves_by_the_matrix_in_the_docstring(history: int) -> None:
    start = np.array([-1.2, 1.0, 0.4, 2.0])
    weight = torch.nn.Parameter(torch.tensor(start))
    moving = built({"lbfgs": {"lr": 0.3, "history_size": history, "line_search": "none"}}, [weight])
    descend(moving, [weight], rosenbrock, 8)
    np.testing.assert_allclose(weight.detach(), bfgs(rosenbrock, start, 0.3, history, 8), rtol=1e-9)


def test_sgds_weight_decay_is_the_gradient_of_an_l2_penalty_of_half_its_size() -> None:
    decayed, penalized = some_weights(), some_weights()
    with_decay, plain = (
        built({"sgd": {"lr": 0.1, "weight_decay": 0.2}}, decayed),
        built({"sgd": 0.1}, penalized),
    )
    for _ in range(3):
        for weights, optimizer, coefficient in ((decayed, with_decay, 0.0), (penalized, plain, 0.1)):

            def penalized_powers(weights: list[torch.nn.Parameter], coefficient: float = coefficient) -> torch.Tensor:
                whole = torch.cat([weight.reshape(-1) for weight in weights])
                return whole.pow(3).sum() + coefficient * whole.square().sum()

            optimizer.step(closure_of(penalized_powers, weights))
    for one, other in zip(decayed, penalized, strict=True):
        torch.testing.assert_close(one, other)


def test_adams_weight_decay_goes_through_the_gradient_and_adamws_past_it() -> None:
    # With a gradient of 0, adam's first step is lr * sign(weight_decay * w); adamw's is lr * weight_decay * w.
    for kind, expected in (("adam", 2.0 - 0.1), ("adamw", 2.0 - 0.1 * 0.5 * 2.0)):
        weight = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        weight.grad = torch.zeros_like(weight)
        built({kind: {"lr": 0.1, "weight_decay": 0.5}}, [weight]).step(lambda: torch.zeros(()))
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
        ({"muon": {"ns_steps": 100}}, "'ns_steps' must be less than 100; received 100"),
        ({"muon": {"ns_coefficients": (1.0, 2.0)}}, "ns_coefficients"),
        ({"adagrad": {"initial_accumulator_value": -1.0}}, "must be at least 0; received -1.0"),
        ({"sgd": {"momentum": -0.1}}, "'momentum' must be at least 0; received -0.1"),
        ({"sgd": {"learning_rate": 0.1}}, "unknown setting 'learning_rate'; did you mean 'lr'?"),
    ],
)
def test_settings_that_make_no_sense_are_refused(written: Any, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("optimizers", written)
    assert any(message in problem.message for problem in setting_problems(raised.value))
