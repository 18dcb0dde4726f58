"""Weights that are frozen at first: until then they are as frozen as any, and from then on they are trained."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import networks
import pytest
import torch
from torch import nn

from dlrun.errors import SpecError
from dlrun.training.loop import Training
from dlrun.training.speed import capture as capturing

SPEC = """
data: {source: {sklearn: digits}, preprocess: [minmax], split: {validation: 0.3, test: 0}}
model:
  layers:
    - sequential: {name: trunk, layers: [linear: 24, batch_norm, relu]}
    - sequential: {name: head, layers: [linear: 16, relu, linear: 10]}
  freeze: {names: trunk, until: 2 epochs}
loss: cross_entropy
metrics: [accuracy]
optimizer: adam
train: {epochs: 4, batch_size: 128, early_stopping: {patience: 50}}
"""
FROZEN = ("model.freeze=trunk", "train.epochs=2")


def timeless(epochs: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in epoch.items() if name != "time/epoch"} for epoch in epochs]


def state(done: networks.Trained) -> dict[str, torch.Tensor]:
    """What the last step has left; the best weights are back in the network."""
    assert done.state.last_weights is not None
    return done.state.last_weights


OPTIMIZERS = [kind if kind != "muon" else "[muon: {weights: '*linear*.weight'}, sgd]" for kind in networks.STEPPING]


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_until_then_a_run_is_that_with_the_weights_frozen(
    optimizer: str, captured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "AFTER", 3 if captured else sys.maxsize)
    overrides = (f"optimizer={optimizer}", "schedule={cosine_annealing: {T_max: 9 epochs}}")
    whole = networks.train(tmp_path, SPEC, *overrides)
    frozen = networks.train(tmp_path, SPEC, *overrides, *FROZEN)
    assert timeless(whole.epochs[:2]) == timeless(frozen.epochs)
    assert whole.epochs[2] != whole.epochs[1]
    # The same run, ended one step after the weights begin to move: all of them have moved, and the statistics.
    steps = frozen.state.step
    last = networks.train(tmp_path, SPEC, *overrides, "train.epochs=null", f"train.steps={steps + 1}")
    before, after = state(frozen), state(last)
    # A norm takes away the bias before it, which so has a gradient of about 0.
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same <= {"trunk.linear_1.bias"}


def test_what_is_captured_before_and_after_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = networks.two_ways(tmp_path, SPEC, monkeypatch, "train.epochs=10", "model.freeze.until=5 epochs")
    assert len([code for code in codes if code is not None]) >= 6  # of two sizes a step, and of one the validation


@pytest.mark.parametrize(
    "optimizer",
    [
        *("{adam: {lr: 0.01}}", "{sgd: {lr: 0.1, momentum: 0.9}}"),
        "[adam: {lr: 0.01, weights: '*.bias'}, adam: {lr: 0.01}]",
    ],
)
def test_the_optimizer_begins_anew_for_them_and_goes_on_for_the_others(optimizer: str, tmp_path: Path) -> None:
    text = SPEC.replace("linear: 24, batch_norm, relu", "linear: 24, relu").replace("2 epochs", "5 steps")
    overrides = ("train.batch_size=full", "train.epochs=9", "train.early_stopping=null", f"optimizer={optimizer}")
    setup = networks.prepare_training(networks.checked(tmp_path, text, *overrides))
    peer = copy.deepcopy(setup.network).requires_grad_(True)
    ours = networks.train(tmp_path, text, *overrides)
    trunk, head = ([*peer.get_submodule(name).parameters()] for name in ("trunk", "head"))
    sgd = "sgd" in optimizer
    judge = torch.optim.SGD(head, lr=0.1, momentum=0.9) if sgd else torch.optim.Adam(head, lr=0.01)
    batch = setup.task.data.train.batch(slice(None))
    for step in range(9):
        if step == 5:
            judge.add_param_group({"params": trunk})
        peer.zero_grad()
        nn.functional.cross_entropy(peer(*batch.inputs), batch.targets["target"].long().reshape(-1)).backward()
        judge.step()
    for name, weight in ours.ready.network.state_dict().items():
        torch.testing.assert_close(weight, peer.state_dict()[name], rtol=2e-4, atol=2e-6, msg=name)


def test_statistics_penalties_and_constraints_begin_with_the_weights(tmp_path: Path) -> None:
    own = (
        "regularizers=[l2: {coefficient: 0.1, weights: trunk}]",
        "constraints=[max_norm: {max: 0.01, weights: trunk}]",
    )
    until = networks.train(tmp_path, SPEC, *own, "model.freeze.until=3 epochs", "train.epochs=4")
    # The penalty is there from the start, so that each epoch has the same metrics; it is 0 while nothing is penalized.
    assert [epoch["train/penalty"] == 0 for epoch in until.epochs] == [True, True, True, False]
    for_all = (change.replace("weights: trunk", "weights: '*'") for change in own)
    start = networks.train(tmp_path, SPEC, *for_all, "model.freeze=trunk", "train.epochs=1")
    assert state(start)["trunk.linear_1.weight"].norm(dim=1).min() > 0.1  # a frozen weight need not obey
    weights = state(until)
    assert weights["trunk.linear_1.weight"].norm(dim=1).max() <= 0.01 + 1e-6
    assert weights["trunk.batch_norm_1.num_batches_tracked"] > 0


@pytest.mark.parametrize("start", ["ema: 0.9", "swa: 0 epochs", "swa: 2 epochs", "swa: 3 epochs"])
def test_the_average_is_over_them_as_if_they_had_been_trained_from_the_start(start: str, tmp_path: Path) -> None:
    done = networks.Trained(
        networks.prepare_training(networks.checked(tmp_path, SPEC, f"train.average={{{start}}}", "train.device=cpu"))
    )
    network, moments = done.ready.network, []

    def noted(training: Training) -> None:
        moments.append({name: value.clone().double() for name, value in network.named_parameters()})

    done.after_step = noted  # type: ignore[method-assign]
    Training(done.ready.task, done, done, done.state).run()
    kind, _, from_epoch = start.partition(": ")
    each = len(moments) // 4
    if kind == "swa":
        moments = moments[each - 1 :: each][max(0, int(from_epoch[0]) - 1) :]
    for name, last in moments[-1].items():
        expected = moments[0][name]
        for count, moment in enumerate(moments[1:], 1):
            expected = expected.lerp(moment[name], 0.1 if kind == "ema" else 1 / (count + 1))
        assert done.state.average is not None
        with done.state.average.in_place():
            found = network.get_parameter(name).detach().double()
        assert not torch.equal(found, last)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, msg=name)


def test_one_optimizer_may_move_the_late_weights_alone(tmp_path: Path) -> None:
    own = "optimizer=[sgd: {weights: trunk, lr: 0.01}, adam: {}]"
    done = networks.train(tmp_path, SPEC, own)
    assert {name for name in done.epochs[0] if name.startswith("lr")} == {"lr/1", "lr/2"}
    frozen = networks.train(tmp_path, SPEC, "optimizer=adam", *FROZEN)
    assert [epoch["train/loss"] for epoch in done.epochs[:2]] == [epoch["train/loss"] for epoch in frozen.epochs]


def test_a_layer_that_is_used_twice_begins_to_move_once(tmp_path: Path) -> None:
    text = SPEC.replace("batch_norm, relu", "batch_norm: {name: norm}, relu, use: norm")
    weights = state(networks.train(tmp_path, text))
    assert weights["trunk.norm.num_batches_tracked"] > 0


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ("{names: trnk, until: 2 epochs}", "no weight matches 'trnk'; did you mean 'trunk"),
        ("{names: '*', until: 2 epochs}", "every weight is frozen at first, so there is nothing to train"),
        (
            "{names: trunk, until: 4 epochs}",
            "the training ends after 40 steps, and these weights would be trained after",
        ),
        ("{names: trunk, until: 1e-3 epochs}", "a duration is written `3 epochs` or `500 steps`"),
        ("{names: trunk, until: 0.001 epochs}", "are less than one step, so nothing is frozen"),
        ("{names: trunk}", "'until' is missing"),
        ("{name: trunk, until: 3}", "unknown setting 'name'; did you mean 'names'"),
        ("3", "a name or a list of names is expected"),
    ],
)
def test_what_cannot_be_meant_is_an_error(freeze: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        networks.checked(tmp_path, SPEC, f"model.freeze={freeze}")
