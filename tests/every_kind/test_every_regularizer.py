"""Every regularizer, held against its closed form and the gradient that follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import draws, sample_shapes

from dlrun.components.regularizers import PredictionRegularizer, WeightRegularizer
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.language.messages import setting_problems
from dlrun.shapes import Shape

KINDS = kinds("regularizers")
ON_WEIGHTS = [kind for kind in KINDS if issubclass(find("regularizers", kind), WeightRegularizer)]
ON_OUTPUTS = [kind for kind in ON_WEIGHTS if "output" in find("regularizers", kind).model_fields]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def distance_from_orthogonal(w: Matrix) -> float:
    vectors = w if len(w) <= w.shape[1] else w.T
    return sum((float(a @ b) - (i == j)) ** 2 for i, a in enumerate(vectors) for j, b in enumerate(vectors))


def slope_of_orthogonal(w: Matrix) -> Matrix:
    if len(w) <= w.shape[1]:
        return 4 * (w @ w.T - np.eye(len(w))) @ w
    return 4 * w @ (w.T @ w - np.eye(w.shape[1]))


PENALTIES: dict[str, tuple[Callable[[Matrix], float], Callable[[Matrix], Matrix]]] = {
    "l1": (lambda w: sum(abs(value) for value in w.flat), np.sign),
    "l2": (lambda w: sum(value * value for value in w.flat), lambda w: 2 * w),
    "l1_l2": (
        lambda w: sum(0.5 * abs(value) + 0.5 * value * value for value in w.flat),
        lambda w: 0.5 * np.sign(w) + w,
    ),
    "orthogonal": (distance_from_orthogonal, slope_of_orthogonal),
    "group_lasso": (
        lambda w: sum(math.sqrt(len(group)) * math.hypot(*group) for group in w),
        lambda w: np.array([math.sqrt(len(group)) * group / math.hypot(*group) for group in w]),
    ),
}
"""What one weight adds to the sum, as a matrix with a row for each output unit, and the gradient of that."""


def regularizer(kind: str, coefficient: float) -> WeightRegularizer:
    chosen = choose("regularizers", {kind: coefficient})
    assert isinstance(chosen, WeightRegularizer)
    return chosen


def predicting(coefficient: float) -> PredictionRegularizer:
    chosen = choose("regularizers", {"entropy": coefficient})
    assert isinstance(chosen, PredictionRegularizer)
    return chosen


def test_every_regularizer_has_its_closed_form_here() -> None:
    assert {*PENALTIES, "entropy"} == set(KINDS)
    assert set(PENALTIES) == set(ON_WEIGHTS)


@pytest.mark.parametrize("kind", ON_WEIGHTS)
def test_a_penalty_is_its_coefficient_times_the_sum_over_all_weights_and_so_is_its_gradient(kind: str) -> None:
    one, slope = PENALTIES[kind]
    least = find("regularizers", kind).least_rank

    @draws(60)
    @given(
        st.just(0.0) | st.floats(1e-6, 10),
        st.lists(sample_shapes(max(1, least), 4, 5), min_size=1, max_size=4),
        st.integers(0, 2**32),
    )
    def holds(coefficient: float, shapes: list[Shape], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        weights = [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]
        penalty = regularizer(kind, coefficient).penalty(list(weights))
        assert penalty.shape == ()
        matrices = [weight.detach().numpy().reshape(len(weight), -1) for weight in weights]
        assert penalty.item() == pytest.approx(coefficient * sum(map(one, matrices)), rel=1e-9)
        penalty.backward()
        for weight, matrix in zip(weights, matrices, strict=True):
            assert weight.grad is not None
            expected = torch.from_numpy(coefficient * slope(matrix)).reshape(weight.shape)
            torch.testing.assert_close(weight.grad, expected)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_a_coefficient_may_be_a_tensor_that_changes_and_gives_the_same_bits(kind: str) -> None:
    chosen: Any = choose("regularizers", {kind: 0.3})
    held = torch.tensor(0.3)
    moving = chosen.with_numbers({"coefficient": held})
    for coefficient in (0.3, 0.7, 0.0):
        held.fill_(coefficient)
        own = choose("regularizers", {kind: coefficient})
        found = []
        for one in (moving, own):
            weight = torch.linspace(-1, 2, 12).reshape(3, 4).requires_grad_()
            value = one.penalty([weight]) if kind in ON_WEIGHTS else one.penalty(weight, "classes", "")
            found += [value, *torch.autograd.grad(value, [weight])]
        assert torch.equal(found[0], found[2]) and torch.equal(found[1], found[3])


@pytest.mark.parametrize(
    ("kind", "penalty"),
    [
        ("l1", 0.5 * (1 + 2 + 3)),
        ("l2", 0.5 * (1 + 4 + 9)),
        ("l1_l2", 0.5 * (0.5 * 6 + 0.5 * 14)),
        ("orthogonal", 0.5 * ((1 + 4 - 1) ** 2 + (9 - 1) ** 2)),
        ("group_lasso", 0.5 * (math.sqrt(2) * math.sqrt(5) + 3)),
    ],
)
def test_a_penalty_worked_by_hand(kind: str, penalty: float) -> None:
    weights = [torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0]])]
    assert regularizer(kind, 0.5).penalty(weights).item() == pytest.approx(penalty, rel=1e-6)


def test_the_share_of_absolute_values_leads_from_l2_to_l1() -> None:
    weights = [torch.randn(3, 4)]
    for ratio, kind in ((0.0, "l2"), (1.0, "l1")):
        mixed = choose("regularizers", {"l1_l2": {"coefficient": 0.3, "l1_ratio": ratio}})
        assert isinstance(mixed, WeightRegularizer)
        torch.testing.assert_close(mixed.penalty(weights), regularizer(kind, 0.3).penalty(weights))


def test_the_gradient_of_squares_has_the_bits_that_autograd_gives() -> None:
    torch.manual_seed(1)
    for coefficient in (1e-4, 0.3, 7.0):
        weights = [torch.randn(50, 40, requires_grad=True), torch.randn(40, requires_grad=True)]
        square = coefficient * torch.stack([weight.square().sum() for weight in weights]).sum()
        found = regularizer("l2", coefficient).penalty(list(weights))
        assert torch.equal(found, square)
        for one, other in zip(torch.autograd.grad(found, weights), torch.autograd.grad(square, weights), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("kind", ["l1", "group_lasso"])
def test_a_sparse_penalty_does_not_push_a_weight_that_is_0_already(kind: str) -> None:
    weight = torch.zeros(3, 2, requires_grad=True)
    regularizer(kind, 1.0).penalty([weight]).backward()
    assert weight.grad is not None
    assert not weight.grad.any()


@pytest.mark.parametrize("kind", ON_WEIGHTS)
def test_a_penalty_leaves_biases_and_scales_out_and_takes_all_weights_unless_asked(kind: str) -> None:
    chosen = regularizer(kind, 0.1)
    assert (chosen.weights, chosen.include_biases, chosen.include_scales) == ("*", False, False)
    assert chosen.layer_outputs is None


@pytest.mark.parametrize("kind", ON_OUTPUTS)
def test_a_penalty_on_outputs_is_not_on_weights_too(kind: str) -> None:
    settings = {"coefficient": 0.1, "output": "hidden"}
    assert choose("regularizers", {kind: settings}).layer_outputs == "hidden"  # type: ignore[attr-defined]
    for setting, value in {"weights": "a*", "include_biases": True, "include_scales": True}.items():
        with pytest.raises(ValidationError) as raised:
            choose("regularizers", {kind: {**settings, setting: value}})
        (problem,) = setting_problems(raised.value)
        assert problem.message == (
            f"'output' is for the outputs of layers and '{setting}' for weights: write one of them"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_for_large_weights_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("regularizers", {kind: -0.1})
    assert setting_problems(raised.value)[0].message == "'coefficient' must be at least 0; received -0.1"


def test_the_entropy_of_classes_is_that_of_scipy_and_so_is_its_gradient() -> None:
    logits = torch.randn(20, 5, dtype=torch.float64, requires_grad=True)
    penalty = predicting(0.3).penalty(logits, "classes", "")
    p = scipy.special.softmax(logits.detach().numpy(), axis=1)
    entropy = scipy.special.entr(p).sum(axis=1)
    assert penalty.item() == pytest.approx(-0.3 * entropy.mean())
    penalty.backward()
    expected = 0.3 * p * (np.log(p) + entropy[:, None]) / len(p)  # of sum(p * log(p)), by the chain rule
    torch.testing.assert_close(logits.grad, torch.from_numpy(expected))


@pytest.mark.parametrize("form", ["", "probabilities"])
def test_the_entropy_of_a_yes_or_no_is_that_of_scipy(form: str) -> None:
    logits = torch.randn(20, 3, dtype=torch.float64, requires_grad=True)
    output = logits.sigmoid() if form else logits
    penalty = predicting(0.3).penalty(output, "binary", form)  # type: ignore[arg-type]
    p = scipy.special.expit(logits.detach().numpy())
    assert penalty.item() == pytest.approx(-0.3 * (scipy.special.entr(p) + scipy.special.entr(1 - p)).mean())
    penalty.backward()
    expected = 0.3 * p * (1 - p) * logits.detach().numpy() / p.size
    torch.testing.assert_close(logits.grad, torch.from_numpy(expected))


def test_the_losses_whose_outputs_are_probabilities_and_not_scores_are_known() -> None:
    found = {kind for kind in kinds("losses") if find("losses", kind).of_probabilities}  # type: ignore[attr-defined]
    assert found == {"binary_cross_entropy", "binary_focal", "cross_entropy", "focal"}


def test_the_entropy_stays_a_number_where_a_network_is_sure() -> None:
    for output, wants, form in (
        (torch.tensor([[200.0, 0.0]]), "classes", ""),
        (torch.tensor([[200.0, -200.0]]), "binary", ""),
        (torch.tensor([[0.0, 1.0]]), "binary", "probabilities"),
    ):
        output.requires_grad_()
        penalty = predicting(1.0).penalty(output, wants, form)  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(penalty, output)
        assert penalty.item() == pytest.approx(0, abs=1e-5)
        assert gradient.isfinite().all()
