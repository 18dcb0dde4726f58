"""What a GPU does in a step. Where there is none, what plays a step back is played by a stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import torch

from dlrun.components.optimizers._adam import AdamLike
from dlrun.training.determinism import in_order, refused
from dlrun.training.loop import Training
from dlrun.training.speed import capture as capturing
from dlrun.training.speed import cuda_graphs as graphs

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
train: {epochs: 6, batch_size: 64%s}
"""
SCHEDULE = "schedule: cosine_annealing"
CONSTRAINTS = "constraints: [max_norm: 0.5]"
CHANGING = "schedule: [linear: {of: [loss.coefficient, regularizers.l2.coefficient, dropout_1.p], end_factor: 2}]"
CHANGING += "\nregularizers: [l2: 1e-3]"
SEVERAL = (", accumulate: 3, clip_grad_norm: 1.0", ", average: {ema: 0.9}", ", average: {swa: 1 epoch}")
"""Settings by which a step has several batches, or the weights are averaged beside it."""
ON_GPU = "train.device=cuda"


@pytest.mark.parametrize("more", ["", *SEVERAL])
@pytest.mark.parametrize("schedule", ["", SCHEDULE, CONSTRAINTS, CHANGING])
def test_a_training_that_is_played_back_ends_in_the_bits_of_one_that_is_not(
    schedule: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setattr(capturing, "_record_code", capturing._record_graph)
    monkeypatch.setattr(AdamLike, "fused", False)  # so that moving the weights is played back too, as on a GPU
    codes = networks.two_ways(tmp_path, DIGITS % (schedule, more), monkeypatch)
    # Steps give gradients only where the weights are moved outside: at a rate that changes, or by several batches. Then
    # the constraints are recorded alone.
    moved_outside = schedule == SCHEDULE or "accumulate" in more
    count = 5 if schedule == CONSTRAINTS and moved_outside else 4
    assert [type(code) for code in codes] == [graphs.CudaGraph] * count
    assert len(recorded) == count
    sizes = {len(results) for results in recorded} - ({0} if count == 5 else set())
    penalties = schedule == CHANGING  # a step gives the penalty too
    more_of_a_step = moved_outside + penalties
    assert sizes == ({2, 2 + more_of_a_step} if more_of_a_step else {2})


def test_what_a_gpu_cannot_record_is_still_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(3, requires_grad=True)

    def record(compute: Any, inputs: list[torch.Tensor]) -> Any:
        compute(*inputs)
        raise RuntimeError("operation not permitted when stream is capturing")

    def compute(x: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            weight.mul_(0.5)
        return [(x * weight).sum().detach()]

    monkeypatch.setattr(graphs, "record", record)
    monkeypatch.setattr(capturing, "_record_code", capturing._record_graph)
    results, code = capturing.capture(compute, [torch.ones(3)], [weight])
    assert code is None
    assert results[0] == 1.5
    assert weight.tolist() == [0.5, 0.5, 0.5]


@needs_gpu
@pytest.mark.parametrize("schedule", ["", SCHEDULE, CONSTRAINTS, CHANGING])
@pytest.mark.parametrize(
    "more", ["", ", clip_grad_norm: 1.0", ", clip_grad_value: 0.1", ", precision: bfloat16", *SEVERAL]
)
def test_on_a_gpu_a_training_from_graphs_ends_in_the_bits_of_one_without(
    schedule: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = networks.two_ways(tmp_path, DIGITS % (schedule, more), monkeypatch, ON_GPU)
    assert len(codes) >= 4 and {type(code) for code in codes} == {graphs.CudaGraph}


@needs_gpu
@pytest.mark.parametrize("optimizer", networks.SEARCHING)
def test_on_a_gpu_a_search_over_graphs_ends_in_the_bits_of_one_without(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (f"optimizer={optimizer}", "train.batch_size=full", "train.epochs=12")
    codes = networks.two_ways(tmp_path, DIGITS % ("", ""), monkeypatch, ON_GPU, *own)
    assert len(codes) == 2 and {type(code) for code in codes} == {graphs.CudaGraph}


ATTENTION = """
data: {source: {npz: rows.npz}, features: x, target: y}
model:
  input: [12, 8]
  layers: [{multihead_attention: {num_heads: 2}}, {linear: 8}, {%s: %s}, flatten, {linear: 1}]
loss: mse
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 4, batch_size: 64}
"""


def attending(folder: Path, pooled: bool, *overrides: str) -> networks.Trained:
    draw = np.random.default_rng(0)
    np.savez(folder / "rows.npz", x=draw.normal(size=(600, 12, 8)), y=draw.normal(size=600))
    last = ("adaptive_avg_pool1d", 3) if pooled else ("dropout", 0.1)
    return networks.train(folder, ATTENTION % last, ON_GPU, *overrides)


@needs_gpu
def test_gradients_that_torch_can_add_in_order_are_added_in_order(tmp_path: Path) -> None:
    one, other = (attending(tmp_path, False) for _ in range(2))
    assert one.ready.task.in_order and not one.ready.notes
    weights = other.ready.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.ready.network.state_dict().items())


@needs_gpu
def test_what_torch_adds_in_any_order_is_a_note_that_a_spec_can_allow(tmp_path: Path) -> None:
    done = attending(tmp_path, True)
    (note,) = done.ready.notes
    assert note.note == "any_order" and "adaptive_avg_pool" in note.message and not done.ready.task.in_order
    assert not attending(tmp_path, True, "allow=[any_order]").ready.notes


def test_torch_refuses_what_has_no_order_only_where_it_is_told_to() -> None:
    """put_ has none on a processor, with indices that may be the same."""
    target, places, values = torch.zeros(3), torch.tensor([1, 1]), torch.ones(2)
    before = torch.get_deterministic_debug_mode()
    with pytest.raises(RuntimeError) as caught, in_order(True):
        target.put_(places, values)
    assert refused(caught.value) == "put_"
    assert not refused(RuntimeError("another error"))
    assert torch.get_deterministic_debug_mode() == before
    with in_order(False):
        target.put_(places, values)


@needs_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature:UserWarning")
@pytest.mark.parametrize("schedule", ["", SCHEDULE, CHANGING])
def test_no_step_waits_for_the_gpu(schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, steps = Training._step, []

    def watched(training: Training, step: int) -> None:
        seen, captured = training.step.repeated.seen, training.step.repeated.captured
        rows = sum(map(len, training.length.batches(step)))
        capturing_now = seen[rows] == capturing.AFTER and rows not in captured
        torch.cuda.set_sync_debug_mode("default" if capturing_now else "error")
        try:
            own(training, step)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        steps.append(capturing_now)

    monkeypatch.setattr(Training, "_step", watched)
    monkeypatch.setattr(capturing, "AFTER", 3)
    done = networks.train(tmp_path, DIGITS % (schedule, ""), ON_GPU)
    assert done.ready.device.type == "cuda"
    assert sum(steps) == 2  # whole batches and the rest
    assert len(steps) > 60
