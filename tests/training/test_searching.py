"""Optimizers that compare the loss at several weights: what a step of a network is then."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import pytest
import torch
from torch import nn

from dlrun.components.optimizers import Evaluate, OptimizerState
from dlrun.components.optimizers.lbfgs import Lbfgs

SPEC = """
data: {source: {sklearn: wine}, preprocess: [standardize], split: {validation: 0.3, test: 0}}
model: {layers: [%s]}
loss: cross_entropy
regularizers: [l2: 1e-2]
optimizer: lbfgs
train: {steps: 12, batch_size: full}
"""
NOISY = "linear: 8, batch_norm, tanh, dropout: 0.4, linear: 3"


def steps(count: int) -> str:
    return f"train.steps={count}"


@pytest.mark.parametrize("search", ["strong_wolfe", "none"])
def test_a_network_moves_as_torchs_optimizer_moves_it(search: str, tmp_path: Path) -> None:
    text = SPEC % "linear: 6, tanh, linear: 3"
    own = (f"optimizer={{lbfgs: {{line_search: {search}, lr: 0.5}}}}",)
    setup = networks.prepare_training(networks.checked(tmp_path, text, *own))
    peer, losses = copy.deepcopy(setup.network).double(), []
    own_search = None if search == "none" else search
    judge = torch.optim.LBFGS(peer.parameters(), lr=0.5, max_iter=1, max_eval=26, line_search_fn=own_search)
    batch = setup.task.data.train.batch(slice(None))

    def closure() -> torch.Tensor:
        peer.zero_grad()
        loss = nn.functional.cross_entropy(peer(batch.inputs[0].double()), batch.targets["target"].long().reshape(-1))
        penalty = sum(weight.square().sum() for name, weight in peer.named_parameters() if "weight" in name)
        (total := loss + 1e-2 * penalty).backward()
        losses.append(loss.item())
        return total

    ours = networks.train(tmp_path, text, *own)
    theirs = []
    for _ in range(12):
        first = len(losses)
        judge.step(closure)
        theirs.append(losses[first])
    assert [epoch["train/loss"] for epoch in ours.epochs] == pytest.approx(theirs, rel=1e-4)
    assert theirs[-1] < theirs[0] / 3
    assert ours.state.last_weights is not None
    for name, weight in peer.state_dict().items():
        torch.testing.assert_close(ours.state.last_weights[name].double(), weight, rtol=5e-3, atol=1e-3, msg=name)


Searched = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Evaluate], None]


def with_search(monkeypatch: pytest.MonkeyPatch, before: Searched) -> None:
    """Let `before` see what a step can compute, before it moves the weights."""
    own = Lbfgs.search

    def search(self: Lbfgs, weights: Any, loss: Any, gradient: Any, state: OptimizerState, lr: float, evaluate: Any):
        before(weights, loss, gradient, evaluate)
        own(self, weights, loss, gradient, state, lr, evaluate)

    monkeypatch.setattr(Lbfgs, "search", search)


def test_in_a_step_the_loss_is_one_function_of_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(weights: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor, evaluate: Evaluate) -> None:
        start = weights.clone()
        weights.mul_(1.1)
        there = evaluate()
        weights.copy_(start)
        again = evaluate()
        assert torch.equal(again[0], loss) and torch.equal(again[1], gradient)
        assert not torch.equal(there[0], loss) and not torch.equal(there[1], gradient)
        seen.append(loss.item())

    with_search(monkeypatch, look)
    networks.train(tmp_path, SPEC % NOISY)
    assert len({*seen}) == 12


@pytest.mark.parametrize("number", [1, 3])
def test_a_step_draws_and_moves_statistics_as_often_as_any_other(number: int, tmp_path: Path) -> None:
    after = []
    for optimizer in ("lbfgs", "{lbfgs: {line_search: none, lr: 1e-9}}", "{sgd: 1e-9}"):
        torch.manual_seed(5)
        done = networks.train(tmp_path, SPEC % NOISY, f"optimizer={optimizer}", steps(number))
        after.append((torch.get_rng_state(), done))
    drawn, trained = zip(*after, strict=True)
    assert all(torch.equal(one, drawn[0]) for one in drawn)
    searched, _, plain = ({**done.state.last_weights} for done in trained)
    assert searched["batch_norm_1.num_batches_tracked"] == number
    # Of the first step alone the weights are the same, and so what the statistics are of.
    for name in ("batch_norm_1.running_mean", "batch_norm_1.running_var"):
        assert torch.equal(searched[name], plain[name]) == (number == 1)
    assert trained[0].epochs[0]["train/loss"] == trained[2].epochs[0]["train/loss"]


def test_the_penalties_are_a_part_of_what_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    totals = []
    with_search(monkeypatch, lambda weights, loss, gradient, evaluate: totals.append(loss.item()))
    done = networks.train(tmp_path, SPEC % "linear: 3")
    sums = [epoch["train/loss"] + epoch["train/penalty"] for epoch in done.epochs]
    assert totals == pytest.approx(sums, rel=1e-6)
    assert totals == sorted(totals, reverse=True)


def test_a_training_that_has_converged_stays_where_it_is(tmp_path: Path) -> None:
    few, many = (networks.train(tmp_path, SPEC % "linear: 3", steps(count)) for count in (60, 90))
    assert few.state.last_weights is not None and many.state.last_weights is not None
    for name, weight in few.state.last_weights.items():
        torch.testing.assert_close(many.state.last_weights[name], weight, rtol=1e-4, atol=1e-5)


def test_the_memory_of_the_history_is_counted(tmp_path: Path) -> None:
    checked = networks.checked(tmp_path, SPEC % "linear: 3", "optimizer={lbfgs: {history_size: 7}}")
    assert checked.memory.state == 4 * (2 * 7 + 2) * 42


def test_frozen_weights_stay_and_need_not_obey(tmp_path: Path) -> None:
    text = SPEC % "linear: {out_features: 6, name: stem, constraints: [unit_norm]}, tanh, linear: 3"
    done = networks.train(tmp_path, text, "model.freeze=stem", "regularizers=[]")
    start = networks.prepare_training(networks.checked(tmp_path, text, "model.freeze=stem")).network.state_dict()
    assert done.state.last_weights is not None
    assert {name for name in start if not torch.equal(start[name], done.state.last_weights[name])} == {
        "linear_1.weight",
        "linear_1.bias",
    }
