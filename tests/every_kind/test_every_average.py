"""Every average of weights, held against torch's own, and in whole trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networks
import pytest
import safetensors.torch
import torch
from torch.optim import swa_utils

import dlrun
from dlrun.checks.check import check
from dlrun.components.averages import Average
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import kinds
from dlrun.runs.checkpoints import Checkpoint
from dlrun.training.averaging import AveragedWeights
from dlrun.training.lifecycle.snapshot import AVERAGE, restore, snapshot
from dlrun.training.loop import Training
from dlrun.training.speed.capture import can_capture
from dlrun.training.state import TrainingState
from dlrun.training.step import TrainedWeights

KINDS = kinds("averages")
EXAMPLES: dict[str, Any] = {"ema": 0.9, "swa": "0 epochs"}
IN_TORCH: dict[str, dict[str, Any]] = {
    "ema": {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.9)},
    "swa": {"avg_fn": swa_utils.get_swa_avg_fn()},
}
"""The function of torch that does the same with the settings of `EXAMPLES`."""

SPEC = """
data: {source: {sklearn: wine}, preprocess: [standardize], split: {validation: 0.2, test: 0.2}}
model:
  layers:
    - linear: 16
    - batch_norm: {name: norm}
    - tanh
    - dropout: 0.2
    - linear: $classes
loss: cross_entropy
metrics: [accuracy]
optimizer: {sgd: {lr: 0.1, momentum: 0.9}}
train: {epochs: 4, batch_size: 16, average: %s}
tracking: off
baselines: off
"""


def example(kind: str) -> dict[str, Any]:
    return {kind: EXAMPLES[kind]}


def average(kind: str) -> Average:
    chosen = choose("averages", example(kind))
    assert isinstance(chosen, Average)
    return chosen


def spec(kind: str) -> str:
    return SPEC % str(example(kind)).replace("'", "")


def test_every_average_has_its_equal_in_torch() -> None:
    assert set(IN_TORCH) == set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_average_is_torchs(kind: str) -> None:
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).double()
    theirs = swa_utils.AveragedModel(network, **IN_TORCH[kind], use_buffers=True)
    ours = AveragedWeights(average(kind), [TrainedWeights(list(network.parameters()))], network)
    for _ in range(30):
        with torch.no_grad():
            for tensor in ours.live:
                tensor.add_(torch.randn_like(tensor))
        ours.add()
        theirs.update_parameters(network)
        own = network.state_dict()
        kept = {name: value.clone() for name, value in own.items()}
        with ours.in_place():
            for name, value in theirs.module.state_dict().items():
                if value.is_floating_point():
                    torch.testing.assert_close(own[name], value, rtol=1e-12, atol=1e-12)
        assert all(torch.equal(own[name], value) for name, value in kept.items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_average_is_measured_and_kept_and_the_training_goes_on_without_it(kind: str, tmp_path: Path) -> None:
    """The weights of each step are those of a training without an average; what is measured is their average."""
    seen: list[dict[str, torch.Tensor]] = []
    text = spec(kind).replace("dropout: 0.2", "relu")
    done = networks.Trained(networks.prepare_training(networks.checked(tmp_path, text)))
    network, chosen = done.ready.network, average(kind)

    def keep(_: Any) -> None:
        seen.append({name: value.clone() for name, value in network.state_dict().items()})

    setattr(done, "after_epoch" if chosen.each_epoch else "after_step", keep)
    training = Training(done.ready.task, done, done, done.state)
    training.run()
    plain = networks.train(tmp_path, text, "train.average=null")
    for name, value in plain.state.last_weights.items():  # type: ignore[union-attr]
        assert torch.equal(seen[-1][name], value), name
    expected = {name: value.double() for name, value in seen[0].items()}
    for count, weights in enumerate(seen[1:], 1):
        for name, value in weights.items():
            share = 0.1 if kind == "ema" else 1 / (count + 1)
            expected[name] += share * (value.double() - expected[name])
    training.finish()
    assert done.state.last_weights is not None
    for name in dict(network.named_parameters()):
        torch.testing.assert_close(done.state.last_weights[name].double(), expected[name], rtol=1e-5, atol=1e-6)
    network.load_state_dict(done.state.last_weights)
    found = training.measure(done.ready.task.data.validation, 1000)
    assert found == pytest.approx({name: done.epochs[-1][f"validation/{name}"] for name in found})


@pytest.mark.parametrize("kind", KINDS)
def test_moving_statistics_of_the_average_are_those_of_torch(kind: str, tmp_path: Path) -> None:
    """Those of `update_bn` after one pass over the last epoch's batches, or their average."""
    text = spec(kind).replace("    - dropout: 0.2\n", "")
    done = networks.Trained(networks.prepare_training(networks.checked(tmp_path, text)))
    training = Training(done.ready.task, done, done, done.state)
    task, orders = done.ready.task, []
    own = training.begin_epoch

    def begin() -> None:
        orders.append(training.order)
        own()

    training.begin_epoch = begin  # type: ignore[method-assign]
    training.run()
    training.finish()
    last = done.state.last_weights
    assert last is not None
    if not average(kind).recomputes:
        assert done.state.average is not None
        assert any(torch.equal(last["norm.running_mean"], value) for value in done.state.average.values)
        return
    task.network.load_state_dict(last)
    rows = len(task.data.train)
    batches = [
        task.data.train.batch(orders[-1].part(start, min(start + 16, rows))).inputs[0] for start in range(0, rows, 16)
    ]
    swa_utils.update_bn(batches, task.network)
    for name in ("norm.running_mean", "norm.running_var"):
        assert torch.equal(task.network.state_dict()[name], last[name]), name


@pytest.mark.parametrize("until", [None, "1.5 epochs", "2.5 epochs"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_average_goes_on_to_the_same_bits(kind: str, until: str | None, tmp_path: Path) -> None:
    freeze = () if until is None else (f"model.freeze={{names: [linear_1, norm], until: {until}}}",)

    def begun() -> Training:
        done = networks.Trained(networks.prepare_training(networks.checked(tmp_path, spec(kind), *freeze)))
        return Training(done.ready.task, done, done, TrainingState())

    whole = begun()
    whole.run()
    half = begun()
    half.task.network.train()
    half._epoch()
    half._epoch()
    tensors, data = snapshot(half, half.task.network.state_dict())
    assert tensors[AVERAGE]
    copies = {group: {name: tensor.clone() for name, tensor in own.items()} for group, own in tensors.items()}
    other = begun()
    restore(other, Checkpoint(half.state.step, copies, data))
    other.run()
    for training in (whole, other):
        training.finish()
    for which in ("best_weights", "last_weights"):
        ours, theirs = getattr(other.state, which), getattr(whole.state, which)
        assert {name for name in theirs if not torch.equal(ours[name], theirs[name])} == set(), which


@pytest.mark.skipif(not can_capture(), reason="this Python's torch cannot capture a step")
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_with_an_average_is_captured(
    kind: str, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = networks.two_ways(tmp_path, spec(kind), monkeypatch, f"optimizer={optimizer}", "train.epochs=8")
    assert len(codes) >= 3 and all(code is not None for code in codes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_a_run_have_the_average(kind: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(spec(kind))
    outcome = dlrun.train(tmp_path / "spec.yaml", runs=tmp_path / "runs")
    plain = dlrun.train(tmp_path / "spec.yaml", "train.average=null", runs=tmp_path / "runs")
    for file, weights in (("last", outcome.state.last_weights), ("best", outcome.state.best_weights)):
        kept = safetensors.torch.load_file(outcome.folder / f"{file}.safetensors")
        for name, value in weights.items():  # type: ignore[union-attr]
            assert torch.equal(kept[name], value.cpu()), name
    last = safetensors.torch.load_file(plain.folder / "last.safetensors")
    assert any(not torch.equal(value.cpu(), last[name]) for name, value in outcome.state.last_weights.items())  # type: ignore[union-attr]


def test_a_frozen_norm_keeps_its_statistics(tmp_path: Path) -> None:
    done = networks.train(tmp_path, spec("swa").replace("model:\n", "model:\n  freeze: norm\n"))
    kept = done.state.last_weights
    assert kept is not None and not kept["norm.running_mean"].any()


def test_an_average_that_never_begins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        networks.checked(tmp_path, SPEC % "{swa: 4 epochs}")
    (problem,) = caught.value.problems
    assert problem.message == "swa begins after 4 epochs, and the training has 28 steps"
    assert problem.hint == "an epoch has 7 steps; train longer or begin earlier"
    (tmp_path / "spec.yaml").write_text(SPEC % "{swa: 3 epochs}")
    assert (
        check(tmp_path / "spec.yaml").memory.state > check(tmp_path / "spec.yaml", ["train.average=null"]).memory.state
    )


def test_before_its_start_the_weights_are_measured_and_then_the_mean_of_the_ends_of_epochs(tmp_path: Path) -> None:
    late = networks.train(tmp_path, SPEC % "{swa: 3 epochs}")
    plain = networks.train(tmp_path, SPEC % "{swa: 3 epochs}", "train.average=null")
    for ours, theirs in zip(late.epochs[:2], plain.epochs[:2], strict=True):
        assert ours["validation/loss"] == theirs["validation/loss"]
    assert late.epochs[3]["validation/loss"] != plain.epochs[3]["validation/loss"]
