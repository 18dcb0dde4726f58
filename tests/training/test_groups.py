"""Several optimizers, each for some of the weights."""

from __future__ import annotations

import math
from pathlib import Path

import networks
import pytest
import torch

SPEC = """
data: {source: {sklearn: digits}, preprocess: [minmax], split: {test: 0}}
model: {layers: [{linear: {out_features: 12, name: stem}}, tanh, {linear: 10}]}
loss: cross_entropy
optimizer: %s
train: {epochs: 2, batch_size: 128}
"""


def moved_by(folder: Path, optimizer: str, *overrides: str) -> dict[str, torch.Tensor]:
    """How far each weight is from its start."""
    done = networks.train(folder, SPEC % optimizer, *overrides)
    start = networks.train(folder, SPEC % "{sgd: {lr: 1e-40}}", "train.epochs=null", "train.steps=1")
    first = start.ready.network.state_dict()
    return {name: weight - first[name] for name, weight in done.ready.network.state_dict().items()}


def test_each_group_moves_at_its_own_rate(tmp_path: Path) -> None:
    one_step = ("train.batch_size=full", "train.epochs=1")
    alone = moved_by(tmp_path, "{sgd: {lr: 0.3}}", *one_step)
    found = moved_by(tmp_path, "[sgd: {weights: stem, lr: 0.03}, sgd: {lr: 0.3}]", *one_step)
    for name, move in alone.items():
        torch.testing.assert_close(found[name], move * (0.1 if name.startswith("stem") else 1.0), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "rmsprop", "nadam", "sgd"])
def test_the_same_optimizer_twice_moves_as_once(kind: str, tmp_path: Path) -> None:
    once = moved_by(tmp_path, f"{{{kind}: {{lr: 1e-2}}}}")
    twice = moved_by(tmp_path, f"[{kind}: {{lr: 1e-2, weights: '*.bias'}}, {kind}: {{lr: 1e-2}}]")
    for name, move in once.items():
        torch.testing.assert_close(twice[name], move, rtol=1e-4, atol=1e-6)


def test_each_group_has_its_own_schedule_and_its_rate_in_the_journal(tmp_path: Path) -> None:
    optimizer = "[sgd: {weights: stem, lr: 0.1, schedule: {exponential: 0.5}}, adam: {lr: 0.01}]"
    done = networks.train(tmp_path, SPEC % optimizer + "schedule: {linear: 0.0}")
    steps = math.ceil(done.ready.loaded.splits.train.size / 128)
    for epoch, metrics in enumerate(done.epochs, 1):
        last = epoch * steps - 1
        assert "lr" not in metrics
        assert metrics["lr/1"] == pytest.approx(0.1 * 0.5 ** (last / steps))
        assert metrics["lr/2"] == pytest.approx(0.01 * (1 - last / (2 * steps)))


def test_weight_decay_of_one_group_leaves_the_others_alone(tmp_path: Path) -> None:
    plain = moved_by(tmp_path, "{sgd: {lr: 0.1}}", "train.batch_size=full", "train.epochs=1")
    decayed = moved_by(
        tmp_path,
        "[sgd: {weights: '*.bias', lr: 0.1}, sgd: {lr: 0.1, weight_decay: 0.5}]",
        "train.batch_size=full",
        "train.epochs=1",
    )
    for name, move in plain.items():
        assert torch.allclose(decayed[name], move, rtol=1e-5, atol=1e-8) == name.endswith(".bias")
