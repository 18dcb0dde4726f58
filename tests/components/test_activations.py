"""Activations against their formulas, and the few that have weights or no gradient."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional
from torch.nn.modules import activation
from torch.utils.flop_counter import FlopCounterMode

from dlrun.checks.check import check, check_model
from dlrun.components.layers import Layer
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds, synonyms
from dlrun.language.messages import setting_problems
from dlrun.language.suggestions import suggest
from dlrun.shapes import Shape, ShapeError

RANGE = torch.linspace(-8, 8, 97, dtype=torch.float64)
"""Every sixth, 0 and each threshold's both sides among them."""


def layer(written: Any) -> Layer:
    chosen = choose("layers", written)
    assert isinstance(chosen, Layer)
    return chosen


def module(written: Any, shape: Shape) -> torch.nn.Module:
    return layer(written).build(shape).double()


def where(condition: torch.Tensor, yes: Any, no: Any) -> torch.Tensor:
    return torch.where(condition, torch.as_tensor(yes, dtype=torch.float64), torch.as_tensor(no, dtype=torch.float64))


FORMULAS: list[tuple[Any, Any]] = [
    ("abs", lambda x: where(x < 0, -x, x)),
    ("arctan", lambda x: (1j * (torch.log(1 - 1j * x) - torch.log(1 + 1j * x)) / 2).real),
    ("celu", lambda x: where(x > 0, x, x.exp() - 1)),
    ({"celu": 2.0}, lambda x: where(x > 0, x, 2 * ((x / 2).exp() - 1))),
    ("elu", lambda x: where(x > 0, x, x.exp() - 1)),
    ({"elu": 0.5}, lambda x: where(x > 0, x, 0.5 * (x.exp() - 1))),
    ("gelu", lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2),
    (
        {"gelu": "tanh"},
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    ("hardshrink", lambda x: where(x.abs() > 0.5, x, 0)),
    ({"hardshrink": 2.0}, lambda x: where(x.abs() > 2, x, 0)),
    ("hardsigmoid", lambda x: where(x < -3, 0, where(x > 3, 1, x / 6 + 0.5))),
    ("hardswish", lambda x: x * where(x < -3, 0, where(x > 3, 1, x / 6 + 0.5))),
    ("hardtanh", lambda x: where(x < -1, -1, where(x > 1, 1, x))),
    ({"hardtanh": {"min_val": 0.0, "max_val": 4.0}}, lambda x: where(x < 0, 0, where(x > 4, 4, x))),
    ("leaky_relu", lambda x: where(x > 0, x, 0.01 * x)),
    ("log_sigmoid", lambda x: torch.log(1 / (1 + torch.exp(-x)))),
    ("mish", lambda x: x * torch.tanh(torch.log(1 + x.exp()))),
    ("prelu", lambda x: where(x > 0, x, 0.25 * x)),
    ({"prelu": {"init": -0.5}}, lambda x: where(x > 0, x, -0.5 * x)),
    ("relu", lambda x: where(x > 0, x, 0)),
    ("relu6", lambda x: where(x < 0, 0, where(x > 6, 6, x))),
    # 1.7159*tanh(2x/3), as LeCun and others write it in section 4.4
    ("scaled_tanh", lambda x: 1.7159 * ((4 * x / 3).exp() - 1) / ((4 * x / 3).exp() + 1)),
    ({"scaled_tanh": {"amplitude": 2.0, "slope": 0.5}}, lambda x: 2 * (x.exp() - 1) / (x.exp() + 1)),
    # the two constants to the digits that the paper prints
    ("selu", lambda x: 1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * (x.exp() - 1))),
    ("sigmoid", lambda x: 1 / (1 + (-x).exp())),
    ({"sigmoid": 2.5}, lambda x: 1 / (1 + (-2.5 * x).exp())),
    ("silu", lambda x: x / (1 + (-x).exp())),
    ("softplus", lambda x: torch.log(1 + x.exp())),
    ({"softplus": {"beta": 2.0, "threshold": 6.0}}, lambda x: where(2 * x > 6, x, torch.log(1 + (2 * x).exp()) / 2)),
    ("softshrink", lambda x: where(x > 0.5, x - 0.5, where(x < -0.5, x + 0.5, 0))),
    ("softsign", lambda x: x / (1 + x.abs())),
    ("step", lambda x: where(x >= 0, 1, 0)),
    ("tanh", lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())),
    ("tanhshrink", lambda x: x - (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())),
    ({"threshold": 1.0}, lambda x: where(x > 1, x, 0)),
    ({"threshold": {"threshold": -2.0, "value": 5.0}}, lambda x: where(x > -2, x, 5)),
]


@pytest.mark.parametrize(("written", "formula"), FORMULAS, ids=[str(written) for written, _ in FORMULAS])
def test_an_activation_is_its_formula_number_by_number(written: Any, formula: Any) -> None:
    torch.testing.assert_close(module(written, (97,))(RANGE[None])[0], formula(RANGE))


def test_every_activation_of_torch_that_takes_one_input_has_a_kind() -> None:
    names = set(activation.__all__) - {"MultiheadAttention"}
    missing = {name for name in names if suggest(name, kinds("layers"), {}) == ""}
    assert missing == set()
    for name in names:
        kind = suggest(name, kinds("layers"), {})
        assert kind.replace("_", "") == name.lower()
        assert getattr(find("layers", kind), "torch_class", name) == name


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("hard_sigmoid", "hardsigmoid"),
        ("swish", "silu"),
        ("heaviside", "step"),
        ("Heaviside", "step"),
        ("absolute_value", "abs"),
        ("atan", "arctan"),
        ("clamp", "hardtanh"),
    ],
)
def test_another_librarys_word_is_answered_with_ours(word: str, ours: str) -> None:
    assert suggest(word, kinds("layers"), synonyms("layers")) == ours


def test_a_sigmoid_of_slope_1_is_torchs_own_module() -> None:
    assert type(layer("sigmoid").build((3,))) is torch.nn.Sigmoid
    assert type(layer({"sigmoid": 1}).build((3,))) is torch.nn.Sigmoid


def test_a_scaled_tanh_takes_1_to_about_1_and_keeps_it() -> None:
    # Efficient backprop, section 4.4: f(+-1) = +-1
    y = module("scaled_tanh", (2,))(torch.tensor([[1.0, -1.0]], dtype=torch.float64))
    torch.testing.assert_close(y, torch.tensor([[1.0, -1.0]], dtype=torch.float64), atol=1e-4, rtol=0)


def test_selu_keeps_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    y = module("selu", (1,))(torch.randn(1_000_000, 1, dtype=torch.float64))
    # Standard errors of a million draws: 0.001 for the mean, 0.0022 for the variance (kurtosis 5.9).
    assert abs(y.mean()) < 0.005
    assert abs(y.var() - 1) < 0.011


def test_a_prelus_slopes_are_one_for_all_or_one_a_channel() -> None:
    assert layer("prelu").weights((3, 4, 4)) == {"weight": (1,)}
    assert layer({"prelu": True}).weights((3, 4, 4)) == {"weight": (3,)}
    built = module({"prelu": True}, (3, 2))
    with torch.no_grad():
        next(built.parameters()).copy_(torch.tensor([0.0, 0.5, 2.0]))
    assert built(-torch.ones(1, 3, 2, dtype=torch.float64))[0].tolist() == [[0, 0], [-0.5, -0.5], [-2, -2]]


def test_penalties_and_initializers_leave_a_prelus_slopes_alone(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: {source: {sklearn: iris}}\n"
        "model: {init: zeros, layers: [{linear: {out_features: 3, name: first}}, {prelu: {name: bend}}]}\n"
        "loss: cross_entropy\noptimizer: adam\nregularizers: [l2: 0.1]\n"
    )
    from dlrun.network.build import build
    from dlrun.plan.weights import acting

    checked = check(spec)
    assert [names for _, names, _ in acting(checked.plan, "regularizers", checked.experiment.regularizers)] == [
        ["first.weight"]
    ]
    network = build(checked.plan, checked.experiment.need("model"))
    assert network.get_parameter("first.weight").abs().sum() == 0
    assert network.get_parameter("bend.weight").tolist() == [0.25]


def test_rrelu_draws_its_slopes_while_training_and_takes_the_middle_in_a_test() -> None:
    torch.manual_seed(0)
    built, x = module({"rrelu": {"lower": 0.2, "upper": 0.6}}, (100_000,)), torch.full((1, 100_000), -1.0).double()
    slopes = -built.train()(x)
    assert 0.2 <= slopes.min() < 0.21
    assert 0.59 < slopes.max() <= 0.6
    # The mean's standard error is 0.4/sqrt(12*100000) = 0.00037.
    assert abs(slopes.mean() - 0.4) < 0.002
    torch.testing.assert_close(built.eval()(x), torch.full_like(x, -0.4))
    torch.testing.assert_close(built(-x), -x)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"hardtanh": {"min_val": 2.0}}, "min_val = 2 must be below max_val = 1"),
        ({"hardtanh": {"min_val": 1.0}}, "min_val = 1 must be below max_val = 1"),
        ({"rrelu": {"lower": 0.5}}, "lower = 0.5 is above upper = 0.333333"),
        ({"celu": 0.0}, "'alpha' must be greater than 0; received 0.0"),
        ({"softshrink": -1.0}, "'lambd' must be at least 0; received -1.0"),
        ({"gelu": "erf"}, "'approximate' must be 'none' or 'tanh'; received 'erf'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(written: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        choose("layers", written)
    assert [problem.message for problem in setting_problems(caught.value)] == [message]


SOFT = [
    ("softmax", lambda x, dim: x.exp() / x.exp().sum(dim, keepdim=True)),
    ("softmin", lambda x, dim: (-x).exp() / (-x).exp().sum(dim, keepdim=True)),
    ("log_softmax", lambda x, dim: x - x.exp().sum(dim, keepdim=True).log()),
]


@pytest.mark.parametrize(("kind", "formula"), SOFT)
@pytest.mark.parametrize(("dim", "torchs"), [(0, 1), (1, 2), (-1, 2), (-2, 1)])
def test_a_softmax_of_any_sort_runs_along_its_axis_without_the_batch(
    kind: str, formula: Any, dim: int, torchs: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(module({kind: dim}, (3, 4))(x), formula(x, torchs))


def test_softmax2d_shares_each_pixel_among_the_channels() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(module("softmax2d", (3, 4, 5))(x), module({"softmax": 0}, (3, 4, 5))(x))


def test_a_glu_gates_the_first_half_by_the_second() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    first, second = x[:, :3], x[:, 3:]
    assert layer({"glu": 0}).output_shape((6, 5)) == (3, 5)
    torch.testing.assert_close(module({"glu": 0}, (6, 5))(x), first / (1 + (-second).exp()))
    with pytest.raises(ShapeError, match=r"splits axis 1 in two halves, but its size 5 is odd; received \(6, 5\)"):
        layer("glu").output_shape((6, 5))


def test_a_maxout_takes_the_largest_of_each_outputs_pieces() -> None:
    torch.manual_seed(0)
    built = module({"maxout": {"out_features": 4, "pieces": 3}}, (5,))
    weight, bias = (parameter.detach() for parameter in built.parameters())
    x = torch.randn(7, 5, dtype=torch.float64)
    expected = torch.stack(
        [torch.stack([x @ weight[3 * j + p] + bias[3 * j + p] for p in range(3)]).max(0).values for j in range(4)], 1
    )
    torch.testing.assert_close(built(x), expected)


def test_a_maxout_with_a_second_piece_of_zeros_is_a_relu() -> None:
    torch.manual_seed(0)
    plain, built = torch.nn.Linear(5, 4).double(), module({"maxout": 4}, (3, 5))
    weight, bias = built.parameters()
    with torch.no_grad():
        weight.zero_()[::2] = plain.weight
        bias.zero_()[::2] = plain.bias
    x = torch.randn(7, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(built(x), functional.relu(plain(x)))


def test_a_maxouts_weights_and_multiply_adds_are_those_of_its_linear_maps() -> None:
    maxout = layer({"maxout": {"out_features": 240, "pieces": 5}})
    assert maxout.weights((784,)) == {"weight": (1200, 784), "bias": (1200,)}
    assert maxout.macs((784,)) == 784 * 1200
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        maxout.build((784,))(torch.empty(1, 784))
    assert counter.get_total_flops() == 2 * 784 * 1200


# -- step


def test_no_gradient_passes_a_step() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    assert not layer("step").build((4,))(x).requires_grad
    assert [kind for kind in kinds("layers") if not find("layers", kind).differentiable] == ["step"]  # type: ignore[attr-defined]


TRAINED = "data: {{source: {{sklearn: iris}}}}\nmodel: {model}\nloss: cross_entropy\noptimizer: adam\n"


@pytest.mark.parametrize(
    "model",
    [
        "{layers: [step, {linear: 8}, relu, {linear: 3}]}",
        "{layers: [{linear: {out_features: 8, name: fixed}}, step, {linear: 3}], freeze: [fixed]}",
        "{layers: [{concat: [[step], [{linear: 4}]]}, {linear: 3}]}",
    ],
    ids=["nothing before", "all frozen before", "weights beside"],
)
def test_a_step_is_welcome_where_no_trained_weight_stands_before_it(tmp_path: Path, model: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(TRAINED.format(model=model))
    assert check(spec).plan.trainable


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("{layers: [{linear: 8}, step, {linear: 3}]}", "linear_1"),
        ("{layers: [{linear: 8}, {linear: 8}, relu, step, {linear: 3}]}", "linear_1, linear_2"),
        ("{layers: [{linear: 8}, {residual: [{linear: 8}, step]}, {linear: 3}]}", "linear_1, residual_1.linear_1"),
        ("{layers: [{linear: 8}, {linear: 8}, step, {linear: 3}], freeze: [linear_1]}", "linear_2"),
        ("{layers: [{linear: 8}, {linear: 8}, {linear: 8}, {linear: 8}, step]}", "linear_1, linear_2, linear_3 and 1"),
    ],
)
def test_training_through_a_step_is_refused_with_the_layers_it_would_stop(
    tmp_path: Path, model: str, named: str
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(TRAINED.format(model=model))
    with pytest.raises(SpecError) as caught:
        check(spec)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"the gradient of step is 0 everywhere, so the weights of {named}")


def test_a_network_alone_may_have_steps_anywhere(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("model: {input: 2, layers: [{linear: 2}, step, {linear: 1}, step]}\n")
    assert check(spec).plan.total == check_model(spec).total == 2 * 2 + 2 + 2 + 1


# -- what the losses are told


@pytest.mark.parametrize(
    ("loss", "last", "message"),
    [
        ("cross_entropy", "log_softmax", "applies the log_softmax itself; a second one changes nothing"),
        ("cross_entropy", "softmin", "applies the softmax itself"),
        ("cross_entropy", "hardsigmoid", "takes logits, but the network ends in a sigmoid"),
        ("cross_entropy", "log_sigmoid", "takes logits, but the network ends in a sigmoid"),
        ("binary_cross_entropy", "log_softmax", "a softmax makes them sum to 1"),
        ("binary_cross_entropy", "log_sigmoid", "the network outputs their logarithms"),
    ],
)
def test_a_loss_refuses_the_ending_that_it_would_misread(loss: str, last: str, message: str) -> None:
    chosen: Any = choose("losses", loss)
    ending = find("layers", last).output_form  # type: ignore[attr-defined]
    with pytest.raises(ShapeError, match=message):
        chosen.check((1,), (), 2, ending)


def test_binary_cross_entropy_reads_a_hardsigmoids_outputs_as_probabilities() -> None:
    chosen: Any = choose("losses", "binary_cross_entropy")
    ending = find("layers", "hardsigmoid").output_form  # type: ignore[attr-defined]
    p = torch.tensor([[0.25], [0.5]])
    # -(log(1 - 0.25) + log(0.5)) / 2
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    torch.testing.assert_close(chosen(p, torch.tensor([[0.0], [1.0]]), ending), torch.tensor(expected))


def test_a_log_softmax_before_cross_entropy_would_change_nothing() -> None:
    torch.manual_seed(0)
    chosen: Any = choose("losses", "cross_entropy")
    x, y = torch.randn(8, 5, dtype=torch.float64), torch.arange(8) % 5
    torch.testing.assert_close(chosen(x.log_softmax(1), y, ""), chosen(x, y, ""))
