"""Every number of a layer that a schedule may change: its module with the number in a tensor, beside the plain one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networks
import pytest
import torch

from dlrun.components.layers import Layer
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.shapes import Shape, ShapeError
from dlrun.training.speed.capture import can_capture

KINDS = [kind for kind in kinds("layers") if find("layers", kind).changeable is not Layer.changeable]
SHAPES: list[Shape] = [(64,), (8, 8), (4, 4, 4), (4, 4, 2, 2)]
needs_capture = pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")


def layer(kind: str, value: float | None = None) -> Any:
    return choose("layers", kind if value is None else {kind: value})


def shape_of(kind: str) -> Shape:
    """The first shape that it takes."""
    for shape in SHAPES:
        try:
            return layer(kind, 0.5).output_shape(shape)
        except ShapeError:
            continue
    raise AssertionError(kind)


def changing(kind: str, value: float) -> tuple[torch.nn.Module, torch.Tensor]:
    own = layer(kind, 0.1)
    (name,) = own.changeable()
    held = torch.tensor(0.1)
    module = own.build_changing({name: held}).train()
    held.fill_(value)
    return module, held


def test_dropouts_and_noise_have_numbers_that_change() -> None:
    assert {"dropout", "dropout2d", "alpha_dropout", "stochastic_depth", "gaussian_noise"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.03, 0.3, 0.8])
def test_a_module_gives_what_the_plain_one_gives_at_the_same_number(kind: str, value: float) -> None:
    shape = shape_of(kind)
    plain, (module, _) = layer(kind, value).build(shape).train(), changing(kind, value)
    torch.manual_seed(1)
    x = torch.full((4000, *shape), 2.0)
    ours, theirs = module(x), plain(x)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    kept = theirs.unique()
    if len(kept) == 2:  # of a dropout: the two values, and the share of each
        torch.testing.assert_close(ours.unique(), kept, rtol=1e-4, atol=1e-4)
        middle, counted = float(kept.mean()), 4000 * (1 if kind == "stochastic_depth" else shape[0])
        share = (ours < middle).double().mean().item()
        assert share == pytest.approx(value, abs=5 * (value * (1 - value) / counted) ** 0.5)
        # What is dropped together is the same in both.
        torch.testing.assert_close(_spread_within(ours), _spread_within(theirs), rtol=0.1, atol=1e-6)
    else:
        assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.01)
        assert ours.mean().item() == pytest.approx(2, abs=0.02)


def test_the_factor_is_that_of_the_rounded_share_as_in_the_plain_dropout() -> None:
    module, _ = changing("dropout", 0.9999)
    x = torch.ones(100_000)
    expected = layer("dropout", 0.9999).build((100_000,)).train()(x).max()
    assert expected == pytest.approx(65536 / 7)
    assert module(x).max() == expected


def _spread_within(x: torch.Tensor) -> torch.Tensor:
    """The mean spread of the numbers of a row, and of a channel."""
    rows = x.flatten(1)
    channels = x.flatten(2) if x.dim() > 2 else rows.unsqueeze(-1)
    return torch.stack([rows.std(1).mean(), channels.std(-1, correction=0).mean()])


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_follows_its_tensor_and_leaves_evaluation_alone(kind: str) -> None:
    module, held = changing(kind, 0.5)
    x = torch.randn(50, *shape_of(kind), requires_grad=True)
    held.fill_(0.0)
    torch.testing.assert_close(module(x), x, rtol=1e-5, atol=1e-6)
    held.fill_(1.0)
    y = module(x)
    assert y.isfinite().all() and torch.autograd.grad(y.sum(), [x])[0].isfinite().all()
    if "p" in layer(kind, 0.5).changeable():
        assert not y.any()
    assert torch.equal(module.eval()(x), x)


SPEC = """
data: {source: {sklearn: digits}, preprocess: [minmax], split: {test: 0}}
model: {layers: [{reshape: [%s]}, {%s: {%s: 0.2, name: noisy}}, flatten, {linear: 10}]}
loss: cross_entropy
optimizer: adam
schedule: %s
train: {epochs: 3, batch_size: 128}
"""


@needs_capture
@pytest.mark.parametrize("kind", KINDS)
def test_a_captured_training_with_a_layer_that_changes_ends_in_the_bits_of_one_that_was_not(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = layer(kind, 0.5).changeable()
    form = (", ".join(map(str, shape_of(kind))), kind, name)
    rising = SPEC % (*form, f"{{linear: {{of: noisy.{name}, end_factor: 4}}}}")
    codes = networks.two_ways(tmp_path, rising, monkeypatch)
    assert codes and all(code is not None for code in codes)
    last = networks.train(tmp_path, rising)
    assert last.epochs[-1][f"noisy.{name}"] == pytest.approx(0.2 * (1 + 3 * 35 / 36))
    first = networks.train(tmp_path, SPEC % (*form, f"{{linear: {{of: noisy.{name}, end_factor: 1}}}}"))
    assert last.epochs[-1]["train/loss"] > first.epochs[-1]["train/loss"]
