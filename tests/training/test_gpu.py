"""What a GPU does in a step. Where there is none, what plays a step back is played by a stand-in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import networks
import pytest
import torch

from dlrun.components.optimizers._adam import AdamLike
from dlrun.training import capture as capturing
from dlrun.training import graphs
from dlrun.training.loop import Training

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

DIGITS = """
data: {source: {sklearn: digits}, preprocess: [minmax]}
model:
  input: [1, 8, 8]
  layers: [{conv2d: {out_channels: 4, kernel_size: 3}}, batch_norm, relu, flatten, {dropout: 0.3}, {linear: 10}]
loss: cross_entropy
metrics: [accuracy]
%s
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 6, batch_size: 64, device: %s%s}
"""
SCHEDULE = "schedule: cosine_annealing"


def twice(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Train with what is captured and without: the same must come of it. Gives how often something was captured."""
    codes, own = [], capturing.capture

    def noted(*given: Any) -> Any:
        results, code = own(*given)
        codes.append(code)
        return results, code

    monkeypatch.setattr(capturing, "capture", noted)
    monkeypatch.setattr(capturing, "AFTER", 3)
    captured = networks.train(tmp_path, text)
    monkeypatch.setattr(capturing, "AFTER", sys.maxsize)
    plain = networks.train(tmp_path, text)
    for name, weight in plain.ready.network.state_dict().items():
        assert torch.equal(captured.ready.network.state_dict()[name], weight), name
    for one, other in zip(captured.epochs, plain.epochs, strict=True):
        assert {n: v for n, v in one.items() if n != "time/epoch"} == {
            n: v for n, v in other.items() if n != "time/epoch"
        }
    assert all(code is not None for code in codes)
    return len(codes)


@pytest.mark.parametrize("schedule", ["", SCHEDULE])
def test_a_training_that_is_played_back_ends_in_the_bits_of_one_that_is_not(
    schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = []

    def record(compute: Any, inputs: list[torch.Tensor]) -> Any:
        for _ in range(graphs.WARM_UP):
            compute(*inputs)
        results = compute(*inputs)
        recorded.append(results)

        def play() -> None:
            for result, found in zip(results, compute(*inputs), strict=True):
                result.copy_(found)

        return play, results

    monkeypatch.setattr(graphs, "record", record)
    monkeypatch.setattr(capturing, "_record", capturing._play)
    monkeypatch.setattr(AdamLike, "fused", False)  # so that moving the weights is played back too, as on a GPU
    assert twice(DIGITS % (schedule, "cpu", ""), tmp_path, monkeypatch) == 4
    # Steps give gradients only where the weights are moved outside: at a rate that changes.
    assert len(recorded) == 4
    assert {len(results) for results in recorded} == ({2, 3} if schedule else {2})


def test_what_a_gpu_cannot_record_is_computed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(3, requires_grad=True)

    def record(compute: Any, inputs: list[torch.Tensor]) -> Any:
        compute(*inputs)
        raise RuntimeError("operation not permitted when stream is capturing")

    def compute(x: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            weight.mul_(0.5)
        return [(x * weight).sum().detach()]

    monkeypatch.setattr(graphs, "record", record)
    monkeypatch.setattr(capturing, "_record", capturing._play)
    results, code = capturing.capture(compute, [torch.ones(3)], [weight])
    assert code is None
    assert results[0] == 1.5
    assert weight.tolist() == [0.5, 0.5, 0.5]


@needs_gpu
@pytest.mark.parametrize("schedule", ["", SCHEDULE])
@pytest.mark.parametrize("more", ["", ", clip_grad_norm: 1.0", ", precision: bfloat16"])
def test_on_a_gpu_a_training_from_graphs_ends_in_the_bits_of_one_without(
    schedule: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert twice(DIGITS % (schedule, "cuda", more), tmp_path, monkeypatch) == 4


@needs_gpu
@pytest.mark.parametrize("schedule", ["", SCHEDULE])
def test_no_step_waits_for_the_gpu(schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, steps = Training._step, []

    def watched(training: Training, rows: torch.Tensor) -> None:
        counts = training.step.repeated.seen[len(rows)]
        capturing_now = counts == capturing.AFTER and len(rows) not in training.step.repeated.captured
        torch.cuda.set_sync_debug_mode("default" if capturing_now else "error")
        try:
            own(training, rows)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        steps.append(capturing_now)

    monkeypatch.setattr(Training, "_step", watched)
    monkeypatch.setattr(capturing, "AFTER", 3)
    networks.train(tmp_path, DIGITS % (schedule, "cuda", ""))
    assert sum(steps) == 2  # whole batches and the rest
    assert len(steps) > 60
