"""Normalizations against their formulas, written out, and what they keep, train and refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlrun.checks.check import check
from dlrun.components.layers import Layer
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.shapes import Shape, ShapeError


def layer(written: Any) -> Layer:
    chosen = choose("layers", written)
    assert isinstance(chosen, Layer)
    return chosen


def module(written: Any, shape: Shape) -> nn.Module:
    """Built with weights other than the ones and zeros that they start from."""
    built = layer(written).build(shape).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return built


def draw(*shape: int) -> torch.Tensor:
    return 3 + 2 * torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def normalized(x: torch.Tensor, axes: tuple[int, ...], eps: float = 1e-5) -> torch.Tensor:
    mean = x.mean(axes, keepdim=True)
    return (x - mean) / (((x - mean) ** 2).mean(axes, keepdim=True) + eps).sqrt()


# -- over the batch


SHAPES: list[tuple[Shape, tuple[int, ...]]] = [
    ((6,), (0,)),
    ((6, 5), (0, 2)),
    ((6, 5, 4), (0, 2, 3)),
    ((6, 5, 4, 3), (0, 2, 3, 4)),
]


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_batch_norm_normalises_each_channel_over_everything_else(shape: Shape, axes: tuple[int, ...]) -> None:
    built, x = module("batch_norm", shape), draw(7, *shape)
    weight, bias = (p.view(1, 6, *[1] * (len(shape) - 1)) for p in built.parameters())
    torch.testing.assert_close(built(x), normalized(x, axes) * weight + bias)


@pytest.mark.parametrize(("shape", "axes"), SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_without_scale_shifts_alone(shape: Shape, axes: tuple[int, ...], training: bool) -> None:
    built, x = module({"batch_norm": {"scale": False}}, shape).train(training), draw(7, *shape)
    assert [name for name, _ in built.named_parameters()] == ["bias"]
    bias = next(built.parameters()).view(1, 6, *[1] * (len(shape) - 1))
    y = built(x)
    torch.testing.assert_close(y, (normalized(x, axes) if training else x / (1 + 1e-5) ** 0.5) + bias)
    y.pow(2).sum().backward()
    grad = next(built.parameters()).grad
    torch.testing.assert_close(grad, (2 * y).sum(axes).detach())


def test_batch_norm_without_scale_trains_as_one_whose_scale_is_frozen_at_1() -> None:
    free, held = (layer({"batch_norm": s}).build((4, 3, 3)) for s in ({"scale": False}, {}))
    held.get_parameter("weight").requires_grad_(False)
    for built in (free, held):
        optimizer = torch.optim.SGD([p for p in built.parameters() if p.requires_grad], lr=0.1)
        torch.manual_seed(1)
        for _ in range(5):
            optimizer.zero_grad()
            (built(torch.randn(8, 4, 3, 3)) - 1).pow(2).mean().backward()
            optimizer.step()
    assert torch.equal(free.get_parameter("bias"), held.get_parameter("bias"))
    assert torch.equal(free.get_buffer("running_var"), held.get_buffer("running_var"))


def test_batch_norm_has_the_weights_and_statistics_that_it_is_asked_for() -> None:
    shape = (6, 5, 4)
    both, statistics = {"weight": (6,), "bias": (6,)}, ["running_mean", "running_var", "num_batches_tracked"]
    for settings, weights, buffers in (
        ({}, both, statistics),
        ({"scale": False}, {"bias": (6,)}, statistics),
        ({"affine": False}, {}, statistics),
        ({"affine": False, "scale": False}, {}, statistics),
        ({"track_running_stats": False}, both, []),
    ):
        chosen = layer({"batch_norm": settings})
        assert chosen.weights(shape) == weights
        assert list(chosen.buffers(shape)) == buffers
        assert {chosen.role(name) for name in weights} == {"scale", "bias"} & {
            {"weight": "scale", "bias": "bias"}[name] for name in weights
        }


def test_batch_norm_in_a_test_uses_the_moving_statistics_or_without_them_its_batch() -> None:
    x = draw(7, 6)
    tracking, free = (
        layer({"batch_norm": {"momentum": 0.25, "track_running_stats": s}}).build((6,)).double() for s in (True, False)
    )
    for built in (tracking, free):
        built.train()(x)
        built.eval()
    # One batch moves the statistics a quarter of the way from 0 and 1; torch keeps the unbiased variance.
    mean, variance = 0.25 * x.mean(0), 0.75 + 0.25 * x.var(0)
    torch.testing.assert_close(tracking(x), (x - mean) / (variance + 1e-5).sqrt())
    torch.testing.assert_close(free(x), normalized(x, (0,)))


def test_without_moving_statistics_a_test_split_of_one_row_is_refused_too(tmp_path: Path) -> None:
    # 150 rows: 0.007 of them is 1 row
    text = (
        "data: {{source: {{sklearn: iris}}, split: {{validation: {}, test: {}}}}}\n"
        "model: {{layers: [{{linear: 8}}, {{batch_norm: {{track_running_stats: {}}}}}, {{linear: 3}}]}}\n"
        "loss: cross_entropy\noptimizer: adam\ntrain: {{batch_size: full}}\n"
    )
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.format(0.2, 0.007, "true"))
    check(spec)
    for validation, test, which in ((0.2, 0.007, "test"), (0.007, 0.2, "validation")):
        spec.write_text(text.format(validation, test, "false"))
        with pytest.raises(SpecError, match=f"the {which} split's 1 row leave"):
            check(spec)


# -- over one sample


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4), (6, 5, 4, 3)])
@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_normalises_each_channel_of_each_sample(shape: Shape, affine: bool) -> None:
    written = {"instance_norm": {"affine": affine}}
    built, x = module(written, shape), draw(3, *shape)
    expected = normalized(x, tuple(range(2, x.dim())))
    if affine:
        weight, bias = (p.view(1, 6, *[1] * (len(shape) - 1)) for p in built.parameters())
        expected = expected * weight + bias
    torch.testing.assert_close(built(x), expected)
    torch.testing.assert_close(built.eval()(x), expected)


def test_instance_norm_uses_moving_statistics_in_a_test_where_it_keeps_them() -> None:
    written = {"instance_norm": {"track_running_stats": True, "momentum": 0.5}}
    built, x = module(written, (6, 5)), draw(3, 6, 5)
    torch.testing.assert_close(built.train()(x), normalized(x, (2,)))
    mean, variance = 0.5 * x.mean(2).mean(0), 0.5 + 0.5 * x.var(2).mean(0)
    expected = (x - mean[:, None]) / (variance[:, None] + 1e-5).sqrt()
    torch.testing.assert_close(built.eval()(x), expected)


@pytest.mark.parametrize("shape", [(6,), (6, 5), (6, 5, 4), (6, 2, 2, 2, 2)])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_group_norm_normalises_each_group_of_channels_of_each_sample(shape: Shape, groups: int) -> None:
    built, x = module({"group_norm": groups}, shape), draw(3, *shape)
    weight, bias = (p.view(1, 6, *[1] * (len(shape) - 1)) for p in built.parameters())
    grouped = normalized(x.reshape(3, groups, -1), (2,)).reshape(x.shape)
    torch.testing.assert_close(built(x), grouped * weight + bias)


def test_group_norm_of_one_group_is_layer_norm_and_of_single_channels_instance_norm() -> None:
    x = draw(3, 6, 5, 4)
    plain = {"affine": False}
    one = module({"group_norm": {"num_groups": 1, **plain}}, (6, 5, 4))(x)
    torch.testing.assert_close(one, module({"layer_norm": {"dims": 3, "elementwise_affine": False}}, (6, 5, 4))(x))
    six = module({"group_norm": {"num_groups": 6, **plain}}, (6, 5, 4))(x)
    torch.testing.assert_close(six, module("instance_norm", (6, 5, 4))(x))


@pytest.mark.parametrize("dims", [1, 2])
def test_rms_norm_divides_by_the_root_mean_square_of_the_last_axes(dims: int) -> None:
    built, x = module({"rms_norm": {"dims": dims, "eps": 0.1}}, (6, 5)), draw(3, 6, 5)
    axes = tuple(range(-dims, 0))
    expected = x / ((x**2).mean(axes, keepdim=True) + 0.1).sqrt() * next(built.parameters())
    torch.testing.assert_close(built(x), expected)


def test_rms_norms_least_eps_is_that_of_the_number_type() -> None:
    x = torch.full((1, 4), 1e-8, dtype=torch.float64)
    y = module({"rms_norm": {"elementwise_affine": False}}, (4,))(x)
    torch.testing.assert_close(y, x / (1e-16 + 2.0**-52) ** 0.5)


@pytest.mark.parametrize("shape", [(7, 4), (7, 4, 3), (7, 2, 3, 2)])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_local_response_norm_sums_the_squares_of_the_channels_around(shape: Shape, size: int) -> None:
    built = module({"local_response_norm": {"size": size, "alpha": 0.5, "beta": 0.75, "k": 2.0}}, shape)
    x = draw(3, *shape)
    expected = torch.empty_like(x)
    for channel in range(7):
        first = channel - size // 2
        near = x[:, max(first, 0) : first + size]
        expected[:, channel] = x[:, channel] / (2 + 0.5 / size * (near**2).sum(1)) ** 0.75
    torch.testing.assert_close(built(x), expected)


def test_alexnets_local_response_norm_is_written_with_five_times_its_alpha() -> None:
    # ImageNet classification with deep CNNs, section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75, alpha undivided
    written = {"local_response_norm": {"size": 5, "alpha": 5e-4, "k": 2.0}}
    x = 100 * draw(1, 5, 1, 1)
    expected = x[:, 2] / (2 + 1e-4 * (x**2).sum()) ** 0.75
    torch.testing.assert_close(module(written, (5, 1, 1))(x)[:, 2], expected)


@pytest.mark.parametrize(
    ("written", "shape", "message"),
    [
        ({"group_norm": 4}, (6, 5), "the 6 channels cannot be split into 4 groups"),
        ({"group_norm": 6}, (6,), "is a single number"),
        ("instance_norm", (6,), r"with 2 to 4 axes; received \(6,\)"),
        ("instance_norm", (6, 1, 1), "is a single number"),
        ({"rms_norm": 3}, (6, 5), r"normalizes the last 3 axes; received \(6, 5\)"),
        ({"local_response_norm": 5}, (6,), r"with 2 axes or more; received \(6,\)"),
    ],
)
def test_a_norm_refuses_what_it_would_make_nothing_of(written: Any, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layer(written).output_shape(shape)


def test_penalties_and_initializers_leave_the_scales_of_norms_alone(tmp_path: Path) -> None:
    from dlrun.network.build import build
    from dlrun.plan.weights import acting

    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "data: {source: {sklearn: digits}}\n"
        "model:\n  init: zeros\n  input: [4, 16]\n  layers:\n"
        "    - group_norm: {num_groups: 2, name: a}\n    - instance_norm: {affine: true, name: b}\n"
        "    - rms_norm: {name: c}\n    - layer_norm: {name: d}\n    - batch_norm: {name: e}\n"
        "    - flatten\n    - linear: {out_features: 10, name: last}\n"
        "loss: cross_entropy\noptimizer: adam\nregularizers: [l2: 0.1]\n"
    )
    checked = check(spec)
    assert [names for _, names, _ in acting(checked.plan, "regularizers", checked.experiment.regularizers)] == [
        ["last.weight"]
    ]
    network = build(checked.plan, checked.experiment.need("model"))
    for name in "abcde":
        assert (network.get_parameter(f"{name}.weight") == 1).all()
    assert (network.get_parameter("last.weight") == 0).all()
