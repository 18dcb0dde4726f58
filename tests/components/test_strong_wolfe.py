"""The line search for Wolfe's strong conditions, on functions of which the literature says that they are hard."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from dlrun.components.optimizers._strong_wolfe import FALL, FLAT, MOST, strong_wolfe
from dlrun.components.optimizers.lbfgs import Lbfgs
from dlrun.language.messages import field_help
from dlrun.language.synonyms import EXPLAINED

Along = Callable[[float], tuple[float, float]]


def more_thuente_1(t: float, b: float = 2.0) -> tuple[float, float]:
    """Moré and Thuente, Line search algorithms with guaranteed sufficient decrease, 1994, function 5.1."""
    return -t / (t * t + b), (t * t - b) / (t * t + b) ** 2


def more_thuente_2(t: float, b: float = 0.004) -> tuple[float, float]:
    """Their function 5.2, with a minimum at 1.6."""
    return (t + b) ** 5 - 2 * (t + b) ** 4, 5 * (t + b) ** 4 - 8 * (t + b) ** 3


def yanai(t: float, first: float, second: float) -> tuple[float, float]:
    """Their functions 5.4 to 5.6, of Yanai, Ozawa and Kaneko, 1981: two slopes, and a corner between them."""
    one, other = (math.sqrt(1 + b * b) - b for b in (first, second))
    left, right = math.hypot(1 - t, second), math.hypot(t, first)
    return one * left + other * right, one * (t - 1) / left + other * t / right


FUNCTIONS: dict[str, Along] = {
    "5.1": more_thuente_1,
    "5.2": more_thuente_2,
    "5.4": lambda t: yanai(t, 0.001, 0.001),
    "5.5": lambda t: yanai(t, 0.01, 0.001),
    "5.6": lambda t: yanai(t, 0.001, 0.01),
    "parabola": lambda t: ((t - 3) ** 2, 2 * (t - 3)),
}


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_rate_meets_both_conditions(name: str, first: float) -> None:
    along, tried = FUNCTIONS[name], []

    def noted(rate: float) -> tuple[float, float]:
        tried.append(rate)
        return along(rate)

    (loss, slope), rate = along(0), strong_wolfe(noted, *along(0), first, 0.0)
    assert rate in tried and len(tried) <= 1 + MOST
    assert along(rate)[0] <= loss + FALL * rate * slope
    assert abs(along(rate)[1]) <= FLAT * abs(slope)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_rates_are_those_of_torch(name: str) -> None:
    from torch.optim.lbfgs import _strong_wolfe  # type: ignore[attr-defined]

    along = FUNCTIONS[name]
    tried: list[list[float]] = [[], []]

    def theirs(_x: None, t: float, _d: torch.Tensor) -> tuple[float, torch.Tensor]:
        tried[1].append(float(t))
        loss, slope = along(float(t))
        return loss, torch.tensor([slope], dtype=torch.float64)

    def ours(rate: float) -> tuple[float, float]:
        tried[0].append(rate)
        return along(rate)

    for first in (1e-2, 0.5, 30.0):
        (loss, slope), one = along(0), torch.ones(1, dtype=torch.float64)
        gradient = torch.tensor([slope], dtype=torch.float64)
        found = _strong_wolfe(theirs, None, first, one, loss, gradient, gradient[0])
        assert strong_wolfe(ours, loss, slope, first, 1e-9) == pytest.approx(float(found[2]), rel=1e-9)
    assert tried[0] == pytest.approx(tried[1], rel=1e-9)


def test_the_help_says_how_often_the_loss_is_computed() -> None:
    assert f"{1 + MOST} of them at most" in field_help(Lbfgs)["line_search"]
    assert f"{1 + MOST} times at most" in EXPLAINED["lbfgs.max_eval"]


def outside(t: float, end: float) -> tuple[float, float]:
    """-log(1 - t) - 2*t, which is nothing from 1 on: there is `end`. The minimum is at 0.5."""
    return (-math.log(1 - t) - 2 * t, 1 / (1 - t) - 2) if t < 1 else (end, end)


@pytest.mark.parametrize("end", [math.nan, math.inf, -math.inf])
def test_a_rate_without_a_finite_loss_is_too_large(end: float) -> None:
    rate = strong_wolfe(lambda t: outside(t, end), 0.0, -1.0, 1e6, 1e-9)
    assert 0 < rate < 1 and outside(rate, end)[0] < 0 and abs(outside(rate, end)[1]) <= FLAT


@pytest.mark.parametrize("along", [lambda t: (1 + t, 1.0), lambda t: (math.nan, math.nan), lambda t: (1.0, 0.0)])
def test_where_no_loss_is_lower_the_rate_is_0(along: Along) -> None:
    assert strong_wolfe(along, 1.0, -1.0, 1.0, 1e-9) == 0


def test_a_loss_without_a_lower_end_ends_after_so_many_rates() -> None:
    rate = strong_wolfe(lambda t: (-t, -1.0), 0.0, -1.0, 1.0, 1e-9)
    assert math.isfinite(rate) and rate > 1e6
