"""Every regularizer, held against its closed form and the gradient that follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import draws, sample_shapes

from dlrun.components.regularizers import Regularizer
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.language.messages import setting_problems
from dlrun.shapes import Shape

KINDS = kinds("regularizers")
Formula = Callable[[torch.Tensor], torch.Tensor]
PENALTIES: dict[str, tuple[Formula, Formula]] = {
    "l1": (torch.abs, torch.sign),
    "l2": (lambda w: w * w, lambda w: 2 * w),
}
"""What one weight adds to the sum, and the gradient of that."""


def regularizer(kind: str, coefficient: float) -> Regularizer:
    chosen = choose("regularizers", {kind: coefficient})
    assert isinstance(chosen, Regularizer)
    return chosen


def test_every_regularizer_has_its_closed_form_here() -> None:
    assert set(PENALTIES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_is_its_coefficient_times_the_sum_over_all_weights_and_so_is_its_gradient(
    kind: str,
) -> None:
    one, slope = PENALTIES[kind]

    @draws(60)
    @given(st.floats(0, 10), st.lists(sample_shapes(1, 4, 5), min_size=1, max_size=4), st.integers(0, 2**32))
    def holds(coefficient: float, shapes: list[Shape], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        weights = [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]
        penalty = regularizer(kind, coefficient).penalty(list(weights))
        assert penalty.shape == ()
        expected = coefficient * sum(one(value).item() for weight in weights for value in weight.flatten())
        assert penalty.item() == pytest.approx(expected, rel=1e-9)
        penalty.backward()
        for weight in weights:
            assert weight.grad is not None
            torch.testing.assert_close(weight.grad, coefficient * slope(weight.detach()))

    holds()


@pytest.mark.parametrize(("kind", "penalty"), [("l1", 0.5 * (1 + 2 + 3)), ("l2", 0.5 * (1 + 4 + 9))])
def test_a_penalty_worked_by_hand(kind: str, penalty: float) -> None:
    weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([3.0])]
    assert regularizer(kind, 0.5).penalty(weights).item() == penalty


def test_an_l1_penalty_does_not_push_a_weight_that_is_0_already() -> None:
    weight = torch.zeros(3, requires_grad=True)
    regularizer("l1", 1.0).penalty([weight]).backward()
    assert weight.grad is not None
    assert not weight.grad.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_leaves_biases_and_scales_out_and_takes_all_weights_unless_asked(kind: str) -> None:
    chosen = regularizer(kind, 0.1)
    assert (chosen.weights, chosen.include_biases, chosen.include_scales) == ("*", False, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_for_large_weights_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("regularizers", {kind: -0.1})
    assert setting_problems(raised.value)[0].message == "'coefficient' must be at least 0; received -0.1"
