"""Noise layers: what they do while training, that they keep the expectation, and that a test is free of them.

Bounds are five standard errors of the draws, worked out beside each; the seed is fixed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from dlrun.checks.check import check, check_model
from dlrun.components.layers import Layer
from dlrun.language.component import choose
from dlrun.language.messages import setting_problems
from dlrun.shapes import Shape, ShapeError

DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
EVERY = [*((kind, {kind: 0.3}) for kind in (*DROPOUTS, "stochastic_depth")), ("gaussian_noise", {"gaussian_noise": 2})]
SHAPES: dict[str, Shape] = {"dropout1d": (4, 5), "dropout2d": (4, 5, 2), "dropout3d": (4, 5, 2, 2)}
SELU_LEAST = -1.0507009873554805 * 1.6732632423543772


def module(written: Any, shape: Shape) -> nn.Module:
    chosen = choose("layers", written)
    assert isinstance(chosen, Layer)
    assert chosen.output_shape(shape) == shape
    return chosen.build(shape)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("kind", "written"), EVERY)
def test_noise_is_added_while_training_alone(kind: str, written: Any) -> None:
    shape = SHAPES.get(kind, (4, 5))
    built, x = module(written, shape), torch.randn(50, *shape)
    assert not torch.equal(built.train()(x), x)
    assert not torch.equal(built(x), built(x))
    assert torch.equal(built.eval()(x), x)


@pytest.mark.parametrize(("kind", "written"), EVERY)
def test_noise_of_nothing_changes_nothing(kind: str, written: Any) -> None:
    shape = SHAPES.get(kind, (4, 5))
    x = torch.randn(50, *shape)
    torch.testing.assert_close(module({kind: 0.0}, shape).train()(x), x)


def groups_of(kind: str, y: torch.Tensor) -> torch.Tensor:
    """(groups, numbers): what is dropped together stands in one row."""
    if kind == "dropout":
        return y.reshape(-1, 1)
    return y.flatten(1) if kind == "stochastic_depth" else y.flatten(0, 1).flatten(1)


@pytest.mark.parametrize("kind", ["dropout", "dropout1d", "dropout2d", "dropout3d", "stochastic_depth"])
@pytest.mark.parametrize("p", [0.2, 0.7])
def test_what_is_dropped_is_dropped_together_and_the_rest_is_scaled_to_the_same_mean(kind: str, p: float) -> None:
    shape = SHAPES.get(kind, (4, 5))
    y = module({kind: p}, shape).train()(torch.ones(5000, *shape))
    groups = groups_of(kind, y)
    assert (groups == groups[:, :1]).all()
    values = groups[:, 0].unique()
    # dropout rounds p to a 65,536th, and scales by the share that is then kept.
    torch.testing.assert_close(values, torch.tensor([0.0, 1 / (1 - p)]), rtol=2e-5, atol=0.0)
    # The mean of n draws of 1/(1-p) with probability 1-p has the standard error sqrt(p/(1-p)/n).
    assert abs(groups[:, 0].mean() - 1) < 5 * math.sqrt(p / (1 - p) / len(groups))


def test_whole_channels_are_dropped_one_by_one_not_whole_samples() -> None:
    y = module({"dropout2d": 0.5}, (4, 5, 2)).train()(torch.ones(100, 4, 5, 2))
    dropped = (y[:, :, 0, 0] == 0).sum(1)
    # Of 4 channels all alike in each of 100 samples has the probability 8**-100.
    assert ((dropped > 0) & (dropped < 4)).any()


@pytest.mark.parametrize("kind", [*DROPOUTS, "stochastic_depth"])
def test_dropping_all_leaves_zeros_and_no_nan(kind: str) -> None:
    shape = SHAPES.get(kind, (4, 5))
    x = torch.randn(6, *shape, requires_grad=True)
    y = module({kind: 1.0}, shape).train()(x)
    assert (y == 0).all()
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad == 0).all()


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("kind", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_dropout_keeps_mean_0_and_variance_1_and_drops_to_selus_least_value(kind: str, p: float) -> None:
    built, x = module({kind: p}, (50,)).train(), torch.randn(20_000, 50)
    y = built(x)
    a = ((1 - p) * (1 + p * SELU_LEAST**2)) ** -0.5
    low = a * SELU_LEAST - a * p * SELU_LEAST
    dropped = (y - low).abs() < 1e-5
    # The share's standard error is sqrt(p(1-p)/1e6) = 0.0005 at most.
    assert abs(dropped.float().mean() - p) < 0.0025
    torch.testing.assert_close(y[~dropped], a * x[~dropped] - a * p * SELU_LEAST)
    # Five standard errors of a million draws: 0.005 for the mean; at most 0.01 for the variance.
    assert abs(y.mean()) < 0.005
    assert abs(y.var() - 1) < 0.01


def test_feature_alpha_dropout_drops_whole_channels() -> None:
    y = module({"feature_alpha_dropout": 0.5}, (4, 5)).train()(torch.ones(200, 4, 5))
    assert (y == y[:, :, :1]).all()
    assert len(y.unique()) == 2


def test_gaussian_noise_has_mean_0_and_the_given_spread() -> None:
    x = torch.full((1000, 1000), 3.0)
    noise = module({"gaussian_noise": 2.0}, (1000,)).train()(x) - x
    # Standard errors of a million draws: 2/1000 for the mean, 2/sqrt(2e6) for the spread.
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 2) < 0.0071
    # Of a normal distribution 68.27 % lie within one spread.
    assert abs((noise.abs() < 2).float().mean() - 0.6827) < 0.0024


@pytest.mark.parametrize("kind", DROPOUTS)
@pytest.mark.parametrize("word", ["keep", "keep_prob"])
def test_the_textbooks_share_that_is_kept_is_explained(kind: str, word: str) -> None:
    with pytest.raises(ValidationError) as caught:
        choose("layers", {kind: {word: 0.8}})
    (problem,) = setting_problems(caught.value)
    assert problem.hint == "`dropout: p` gives the share that is dropped: write p = 1 - keep"


@pytest.mark.parametrize(
    ("written", "shape", "message"),
    [
        ("dropout1d", (4,), r"\(channels, length\); received \(4,\)"),
        ("dropout2d", (4, 5), r"\(channels, height, width\); received \(4, 5\)"),
        ("dropout3d", (4, 5, 2), r"\(channels, depth, height, width\); received \(4, 5, 2\)"),
    ],
)
def test_dropping_channels_needs_channels(written: str, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        module(written, shape)


# -- stochastic depth on residuals


def planned(tmp_path: Path, layers: str) -> Any:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"model: {{input: 4, layers: [{layers}]}}\n")
    return check_model(spec)


DROPPING = "residual: {layers: [{linear: 8}, relu, {linear: 4}], drop: %s}"


def test_a_residual_with_drop_ends_its_layers_in_stochastic_depth(tmp_path: Path) -> None:
    plan = planned(tmp_path, DROPPING % 0.1)
    assert [step.name for step in plan.steps] == [
        "input",
        "residual_1.linear_1",
        "residual_1.relu_1",
        "residual_1.linear_2",
        "residual_1.stochastic_depth_1",
        "residual_1",
    ]
    assert plan.steps[4].layer == choose("layers", {"stochastic_depth": 0.1})
    assert plan.steps[5].inputs == (4, 0)
    assert plan.total == planned(tmp_path, DROPPING % 0).total == 4 * 8 + 8 + 8 * 4 + 4
    assert "stochastic_depth" not in {step.kind for step in planned(tmp_path, DROPPING % 0).steps}


def test_a_mistake_in_drop_is_told_at_its_place(tmp_path: Path) -> None:
    from dlrun.errors import SpecError

    with pytest.raises(SpecError, match=r"'drop' must be at most 1; received 2") as caught:
        planned(tmp_path, DROPPING % 2)
    place = caught.value.problems[0].place
    assert place is not None
    assert place.source.line(place.line)[place.column - 1 :].startswith("2}")


def test_drop_may_grow_with_depth_as_in_the_paper(tmp_path: Path) -> None:
    plan = planned(tmp_path, "repeat: {times: 4, as: i, layers: [{" + DROPPING % "$(0.5 * (i + 1) / 4)" + "}]}")
    drops = [getattr(step.layer, "p", 0) for step in plan.steps if step.kind == "stochastic_depth"]
    assert drops == [0.125, 0.25, 0.375, 0.5]


def test_a_dropped_sample_passes_a_residual_unchanged_and_a_test_adds_all(tmp_path: Path) -> None:
    from dlrun.network.build import build

    spec = tmp_path / "spec.yaml"
    p = 0.25
    spec.write_text(f"model: {{input: 4, layers: [{DROPPING % p}]}}\n")
    checked = check(spec)
    network, x = build(checked.plan, checked.experiment.need("model")), torch.randn(4000, 4)
    added = network.eval()(x) - x
    assert (added.abs().sum(1) > 0).all()
    changed = network.train()(x) - x
    kept = changed.abs().sum(1) > 0
    torch.testing.assert_close(changed[kept], added[kept] / (1 - p), rtol=1e-4, atol=1e-5)
    # The standard error of the share is sqrt(p(1-p)/4000) = 0.0068.
    assert abs(kept.float().mean() - (1 - p)) < 0.034
