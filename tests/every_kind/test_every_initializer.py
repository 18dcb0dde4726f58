"""Every initializer, held against torch's function of the same name and against what its formula says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import scipy.stats
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


OTHERWISE_CALLED: dict[str, Callable[[torch.Tensor, Any], Any]] = {
    "constant": lambda weight, own: init.constant_(weight, own.value),
    "identity": lambda weight, _: init.eye_(weight),
    "lecun_normal": lambda weight, _: init.normal_(weight, 0, 1 / math.sqrt(weight[0].numel())),
    "lecun_uniform": lambda weight, _: init.uniform_(weight, *ends(math.sqrt(3 / weight[0].numel()))),
    "trunc_normal": lambda weight, own: init.trunc_normal_(weight, own.mean, own.std, *own.bounds()),
}
"""torch's functions for the kinds that it calls otherwise, or has not."""


def ends(bound: float) -> tuple[float, float]:
    return -bound, bound


@pytest.mark.parametrize("kind", KINDS)
def test_a_fill_is_torchs_own_of_the_same_name_settings_and_seed(kind: str) -> None:
    filled_once: list[bool] = []

    @draws(120)
    @given(components("initializers", kind), sample_shapes(2, 4, 5))
    def holds(initializer: Any, shape: tuple[int, ...]) -> None:
        if not initializer.suits(shape):
            return
        expected = torch.empty(shape)
        torch.manual_seed(3)
        if kind in OTHERWISE_CALLED:
            OTHERWISE_CALLED[kind](expected, initializer)
        else:
            getattr(init, f"{kind}_")(expected, **initializer.model_dump())
        assert torch.equal(filled(initializer, shape, seed=3), expected)
        filled_once.append(True)

    holds()
    assert filled_once


@pytest.mark.parametrize("kind", KINDS)
def test_it_suits_exactly_the_weights_that_torch_can_fill(kind: str) -> None:
    @draws(20)
    @given(components("initializers", kind))
    def holds(initializer: Any) -> None:
        for shape in [(), (4,), (4, 3), (4, 3, 2), (4, 3, 2, 2), (4, 3, 2, 2, 2), (4, 3, 2, 2, 2, 2)]:
            try:
                initializer.fill(torch.empty(shape))
            except ValueError:
                assert not initializer.suits(shape)
            else:
                assert initializer.suits(shape)

    holds()


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
        ("lecun_normal", math.sqrt(1 / 100)),
        ("lecun_uniform", math.sqrt(1 / 100)),
        ({"trunc_normal": 0.3}, 0.3 * scipy.stats.truncnorm(-2, 2).std()),
        ({"trunc_normal": {"std": 0.3, "a": 0.0, "b": 9.0}}, 0.3 * scipy.stats.halfnorm().std()),
    ],
)
def test_the_spread_is_what_the_formula_says(written: Any, spread: float) -> None:
    weight = filled(written, (400, 25, 2, 2))  # of 40000 draws, 2 % are more than five standard errors
    assert weight.std().item() == pytest.approx(spread, rel=0.02)


def test_uniform_draws_fill_their_bounds_and_never_leave_them() -> None:
    weight = filled({"uniform": {"a": -0.5, "b": 0.25}}, (200, 200))
    assert -0.5 <= weight.min().item() < -0.499
    assert 0.249 < weight.max().item() <= 0.25


def test_truncated_draws_stay_within_their_bounds_and_come_near_them() -> None:
    weight = filled({"trunc_normal": {"mean": 1.0, "std": 0.5}}, (200, 200))
    assert 0 <= weight.min().item() < 0.01
    assert 1.99 < weight.max().item() <= 2
    assert weight.mean().item() == pytest.approx(1, abs=0.01)


def test_a_sparse_matrix_has_its_share_of_zeros_in_each_column() -> None:
    weight = filled({"sparse": {"sparsity": 0.3, "std": 2.0}}, (200, 50))
    assert ((weight == 0).sum(0) == 60).all()
    assert weight[weight != 0].std().item() == pytest.approx(2, rel=0.05)


def test_an_identity_and_a_dirac_kernel_pass_their_input() -> None:
    x = torch.randn(2, 3)
    assert torch.equal(torch.nn.functional.linear(x, filled("identity", (3, 3))), x)
    images = torch.randn(2, 4, 5, 5)
    assert torch.equal(torch.nn.functional.conv2d(images, filled("dirac", (4, 4, 3, 3)), padding=1), images)
    kernel = filled({"dirac": {"groups": 2}}, (4, 2, 3, 3))
    assert torch.equal(torch.nn.functional.conv2d(images, kernel, padding=1, groups=2), images)


def test_a_constant_is_everywhere() -> None:
    assert torch.equal(filled({"constant": -0.5}, (3, 2)), torch.full((3, 2), -0.5))
    assert torch.equal(filled("ones", (3, 2)), torch.full((3, 2), 1.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"a": 1.0, "b": 1.0}, "the lower bound a = 1 is not below the upper bound b = 1"),
        ({"std": 0.1, "a": 0.5, "b": 1.0}, "the bounds 0.5 and 1 are more than 2*std from the mean 0"),
    ],
)
def test_bounds_between_which_nothing_lies_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("initializers", {"trunc_normal": settings})
    (problem,) = setting_problems(raised.value)
    assert problem.message == message


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
