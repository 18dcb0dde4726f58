"""Every initializer, held against torch's function of the same name and against what its formula says."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from pydantic import ValidationError
from strategies import components, draws, sample_shapes
from torch.nn import init

from dlrun.components.initializers import Initializer
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.messages import setting_problems

KINDS = kinds("initializers")


def filled(written: Any, shape: tuple[int, ...], seed: int = 7) -> torch.Tensor:
    initializer = choose("initializers", written)
    assert isinstance(initializer, Initializer)
    torch.manual_seed(seed)
    weight = torch.full(shape, math.nan)
    initializer.fill(weight)
    return weight


@pytest.mark.parametrize("kind", KINDS)
def test_a_fill_is_torchs_own_of_the_same_name_settings_and_seed(kind: str) -> None:
    @draws(60)
    @given(components("initializers", kind), sample_shapes(2, 4, 5))
    def holds(initializer: Any, shape: tuple[int, ...]) -> None:
        expected = torch.empty(shape)
        torch.manual_seed(3)
        getattr(init, f"{kind}_")(expected, **initializer.model_dump())
        assert torch.equal(filled(initializer, shape, seed=3), expected)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_it_suits_exactly_the_weights_that_torch_can_fill(kind: str) -> None:
    initializer = choose("initializers", kind)
    assert isinstance(initializer, Initializer)
    for shape in [(), (4,), (4, 3), (4, 3, 2, 2)]:
        try:
            initializer.fill(torch.empty(shape))
        except ValueError:
            assert not initializer.suits(shape)
        else:
            assert initializer.suits(shape)


@pytest.mark.parametrize(
    ("written", "spread"),
    [
        # 400 outputs, 25 inputs of 2x2: fan_in 100, fan_out 1600
        ({"normal": 0.3}, 0.3),
        ({"uniform": {"a": -1, "b": 2}}, 3 / math.sqrt(12)),
        ("xavier_normal", math.sqrt(2 / 1700)),
        ("xavier_uniform", math.sqrt(2 / 1700)),
        ({"xavier_normal": 3.0}, 3 * math.sqrt(2 / 1700)),
        ("kaiming_normal", math.sqrt(2 / 100)),
        ("kaiming_uniform", math.sqrt(2 / 100)),
        ({"kaiming_normal": {"mode": "fan_out"}}, math.sqrt(2 / 1600)),
        ({"kaiming_normal": {"nonlinearity": "linear"}}, math.sqrt(1 / 100)),
        ({"kaiming_normal": {"nonlinearity": "tanh"}}, 5 / 3 * math.sqrt(1 / 100)),
        ({"kaiming_uniform": {"nonlinearity": "leaky_relu", "a": 0.5}}, math.sqrt(2 / 1.25 / 100)),
    ],
)
def test_the_spread_is_what_the_formula_says(written: Any, spread: float) -> None:
    weight = filled(written, (400, 25, 2, 2))  # of 40000 draws, 2 % are more than five standard errors
    assert weight.std().item() == pytest.approx(spread, rel=0.02)


def test_uniform_draws_fill_their_bounds_and_never_leave_them() -> None:
    weight = filled({"uniform": {"a": -0.5, "b": 0.25}}, (200, 200))
    assert -0.5 <= weight.min().item() < -0.499
    assert 0.249 < weight.max().item() <= 0.25


def test_normal_draws_lie_about_their_mean() -> None:
    assert filled({"normal": {"mean": 4.0, "std": 0.1}}, (200, 200)).mean().item() == pytest.approx(4, abs=0.003)


def test_a_spread_of_nothing_is_the_mean_itself() -> None:
    assert torch.equal(filled({"normal": {"mean": 1.5, "std": 0.0}}, (3, 2)), torch.full((3, 2), 1.5))


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (6, 6), (6, 3, 2, 2)])
def test_an_orthogonal_matrix_keeps_lengths_up_to_its_gain(shape: tuple[int, ...]) -> None:
    matrix = filled({"orthogonal": 1.5}, shape).flatten(1)
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    torch.testing.assert_close(wide @ wide.T, 1.5**2 * torch.eye(len(wide)))


def test_zeros_are_zeros() -> None:
    assert not filled("zeros", (3, 4)).any()


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError) as raised:
        choose("initializers", {"uniform": {"a": 0.5, "b": -0.5}})
    (problem,) = setting_problems(raised.value)
    assert problem.message == "the lower bound a = 0.5 is above the upper bound b = -0.5"
