"""A frozen layer stands still altogether, whatever kind it is: its weights and its moving statistics."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given
from networks import built
from strategies import draws, layers_and_shapes, takes
from torch import nn

from dlrun.components.layers import Container
from dlrun.language.kinds import find, kinds
from dlrun.modules.still import keep_still

KINDS = [
    kind
    for kind in kinds("layers")
    if not issubclass(cls := find("layers", kind), Container) and not cls.second_inputs and cls.accepts == "numbers"
]


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def batches(shape: tuple[int, ...]) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(3, *shape) * 4 + 7 for _ in range(3)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_is_kept_still_does_not_change_in_training(kind: str) -> None:
    @draws(10)
    @given(layers_and_shapes(kind))
    def check(drawn: Any) -> None:
        layer, shape = drawn
        assume(takes(layer, shape))
        module = layer.build(shape)
        outer = nn.Sequential(module)
        keep_still(module)
        before = state(module)
        outer.train()
        assert not module.training
        for x in batches(shape):
            outer(x)
        assert all(torch.equal(value, before[name]) for name, value in state(module).items())

    check()


LAYERS = """[
  {batch_norm: {name: a}},
  {instance_norm: {name: b, affine: true, track_running_stats: true}},
  {batch_norm: {name: c, affine: false}},
  {linear: {name: head, out_features: 3}}]"""
MODEL = f"{{input: [4, 6], layers: {LAYERS}, freeze: %s}}"


@pytest.mark.parametrize(
    ("freeze", "moving"),
    [
        ("[a, b, c]", set()),
        ("['*']", set()),
        ("[a]", {"b", "c"}),
        ("['*.weight', '*.bias']", {"a", "b", "c"}),
        ("['*.running_*']", set()),
        ("[c]", {"a", "b"}),
    ],
)
def test_a_pattern_freezes_the_statistics_that_it_names(freeze: str, moving: set[str]) -> None:
    network = built(MODEL % freeze)
    before = state(network)
    for mode in (True, False, True):
        network.train(mode)
        for x in batches((4, 6)):
            network(x)
    after = state(network)
    changed = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert changed == moving


def test_a_frozen_layer_computes_as_in_evaluation() -> None:
    network = built(MODEL % "[a, b, c]")
    (x, *_) = batches((4, 6))
    torch.testing.assert_close(network.train()(x), network.eval()(x), rtol=0, atol=0)
