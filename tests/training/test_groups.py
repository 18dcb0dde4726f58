"""Several optimizers, each for some of the weights."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import networks
import pytest
import torch
from torch.nn import functional

from dlrun.training.speed.fast_step import FastStep

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


@pytest.mark.parametrize("kind", [kind for kind in networks.STEPPING if kind not in ("lion", "muon")])
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


@pytest.mark.parametrize(
    ("first", "second", "counted_with"),
    [
        ("adam: {lr: 0.1", "adam: {lr: 0.2, weight_decay: 0.1", [0, 0]),
        ("adam: {lr: 0.1", "adamw: {lr: 0.1", [0, 1]),
        ("nadam: {lr: 0.1, decoupled_weight_decay: true", "nadam: {lr: 0.2, schedule: cosine_annealing", [0, 0]),
        ("nadam: {lr: 0.1", "nadam: {lr: 0.1, betas: [0.8, 0.9]", [0, 1]),
        ("nadam: {lr: 0.1", "nadam: {lr: 0.1, schedule: {linear: {of: betas.0, end_factor: 0.5}}", [0, 1]),
    ],
)
def test_the_steps_of_groups_are_counted_once_where_that_is_the_same(
    first: str, second: str, counted_with: list[int], tmp_path: Path
) -> None:
    spec = SPEC % f"[{first}, weights: stem}}, {second}}}]"
    step = FastStep(networks.prepare_training(networks.checked(tmp_path, spec)).task)
    assert step.counted_with == counted_with
    counts = [state["step"][0] for state in step.states]
    assert (counts[0] is counts[1]) == (counted_with == [0, 0])


SETTINGS = [
    ("adam", torch.optim.Adam, {"betas": (0.5, 0.9)}, ""),
    ("adamw", torch.optim.AdamW, {"eps": 1e-3}, "betas.0"),
    ("adagrad", torch.optim.Adagrad, {"lr_decay": 0.5}, ""),
    ("adagrad", torch.optim.Adagrad, {"lr_decay": 0.5}, "lr_decay"),
    ("adamax", torch.optim.Adamax, {}, "betas.0"),
    ("adamax", torch.optim.Adamax, {"betas": (0.5, 0.9)}, ""),
    ("nadam", torch.optim.NAdam, {}, "betas.0"),
    ("nadam", torch.optim.NAdam, {"eps": 1e-2}, ""),
    ("nadam", torch.optim.NAdam, {"momentum_decay": 0.5}, ""),
    ("radam", torch.optim.RAdam, {"betas": (0.5, 0.9)}, ""),
    ("radam", torch.optim.RAdam, {"eps": 1e-2}, "betas.1"),
]
"""A kind, torch's own, settings of the first group, and a number of it that is half in the first three steps."""


def halved(settings: Any, place: str) -> Any:
    """Half of a number, or a tuple with half of the one at a place."""
    if not place:
        return settings / 2
    return tuple(value / 2 if number == int(place) else value for number, value in enumerate(settings))


@pytest.mark.parametrize(("kind", "torchs", "settings", "changes"), SETTINGS)
def test_groups_whose_steps_are_counted_otherwise_move_as_torchs_groups(
    kind: str, torchs: Any, settings: dict[str, Any], changes: str, tmp_path: Path
) -> None:
    steps, lr = 9, 0.01
    schedule = f"{{constant: {{of: {changes}, factor: 0.5, total_iters: 3 steps}}}}" if changes else "null"
    own = "".join(f", {name}: {list(v) if isinstance(v, tuple) else v}" for name, v in settings.items())
    written = f"[{kind}: {{weights: stem, lr: {lr}, schedule: {schedule}{own}}}, {kind}: {{lr: {lr}}}]"
    overrides = ("train.batch_size=full", f"train.epochs={steps}")
    setup = networks.prepare_training(networks.checked(tmp_path, SPEC % written, *overrides))
    peer, batch = copy.deepcopy(setup.network), setup.task.data.train.batch(slice(None))
    ours = networks.train(tmp_path, SPEC % written, *overrides)
    stem = [*peer.get_submodule("stem").parameters()]
    others = [weight for weight in peer.parameters() if not any(weight is one for one in stem)]
    judge = torchs([{"params": stem, **settings}, {"params": others}], lr=lr)
    group, (setting, _, place) = judge.param_groups[0], changes.partition(".")
    as_written = group.get(setting)
    for step in range(steps):
        if changes:
            group[setting] = halved(as_written, place) if step < 3 else as_written
        peer.zero_grad()
        functional.cross_entropy(peer(*batch.inputs), batch.targets["target"].long().reshape(-1)).backward()
        judge.step()
    for name, weight in ours.ready.network.state_dict().items():
        torch.testing.assert_close(weight, peer.state_dict()[name], rtol=2e-4, atol=2e-6, msg=name)
