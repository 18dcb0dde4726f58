"""In how many digits a network computes, and that everything else is as it was."""

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import networks
import pytest
import torch

from dlrun.errors import SpecError
from dlrun.training.lifecycle.device import forward_in

DIGITS = """
data: {source: {sklearn: digits}, preprocess: [minmax]}
model:
  input: [1, 8, 8]
  layers: [{conv2d: {out_channels: 4, kernel_size: 3}}, batch_norm, relu, flatten, {linear: 10}]
loss: cross_entropy
metrics: [accuracy]
optimizer: {adam: {lr: 1e-2}}
train: {epochs: 3, batch_size: 64, precision: %s}
"""


@pytest.fixture
def done(tmp_path: Path):
    return {name: networks.train(tmp_path, DIGITS % name) for name in ("float32", "bfloat16")}


def test_bfloat16_computes_in_half_the_width_and_learns_all_the_same(done) -> None:
    half, single = done["bfloat16"], done["float32"]
    losses = [one.epochs[0]["train/loss"] for one in (half, single)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert half.epochs[-1]["validation/accuracy"] > 0.9


def test_weights_and_outputs_stay_float32(done) -> None:
    task = done["bfloat16"].ready.task
    assert {weight.dtype for weight in task.network.parameters()} == {torch.float32}
    rows = task.data.validation.batch(slice(None)).inputs[0]
    with torch.no_grad():
        found, exact = task.forward(rows), task.network(rows)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    # 8 bits for each product, which is off by a 256th at most, and some that add up.
    assert (found - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((16, 20, 20), "{conv2d: {out_channels: 3, kernel_size: 4, stride: 4}}"),
        ((8, 32, 32), "{conv2d: {out_channels: 3, kernel_size: 8, stride: 8}}"),
        ((2, 9, 3), "{conv2d: {out_channels: 3, kernel_size: [1, 2], stride: [1, 4]}}"),
        ((2, 4), "{conv1d: {out_channels: 3, kernel_size: 4, stride: 5, padding: 3}}"),
        ((3, 4, 4), "{conv_transpose2d: {out_channels: 16, kernel_size: 4, stride: 4}}"),
        ((2, 8, 1), "{conv_transpose2d: {out_channels: 3, kernel_size: [3, 2], stride: [1, 4]}}"),
        ((16, 2, 12), "{conv2d: {out_channels: 2, kernel_size: [2, 4], dilation: [3, 1], padding: 1}}"),
        ((16, 1, 28), "{conv_transpose2d: {out_channels: 16, kernel_size: 2, dilation: 2, padding: [1, 2]}}"),
    ],
)
def test_convolutions_that_onednn_gets_wrong_in_bfloat16_are_right(shape: tuple[int, ...], layer: str) -> None:
    """oneDNN 3.12 with AMX gives other numbers here, reads memory that nobody has written, or ends the process."""
    torch.manual_seed(0)
    network = networks.built(f"{{input: {list(shape)}, layers: [{layer}]}}")
    rows, double = torch.randn(3, *shape), deepcopy(network).double()
    exact = results(double, double, rows.double())
    forward = forward_in("bfloat16", network, rows.device)
    found = []
    for _ in range(3):
        _ = [torch.full((count,), math.nan) for count in (64, 1024, 4096, 65536)]  # what nobody writes is no number
        found.append(results(forward, network, rows))
    for first, again, last, wanted in zip(*found, exact, strict=True):
        assert torch.equal(first, again) and torch.equal(first, last)
        assert (first - wanted).norm() <= 0.02 * wanted.norm() + 1e-9


def results(forward: Any, network: torch.nn.Module, rows: torch.Tensor) -> list[torch.Tensor]:
    """The outputs, and the gradients of their mean square."""
    rows = rows.clone().requires_grad_()
    output = forward(rows)
    return [output.detach(), *torch.autograd.grad(output.square().mean(), [rows, *network.parameters()])]


def test_products_of_float32_numbers_are_not_rounded_unless_asked(done) -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_tf32_without_a_gpu_is_refused(tmp_path: Path) -> None:
    spec = networks.checked(tmp_path, DIGITS % "float32", "train.device=auto", "train.precision=tf32")
    with pytest.raises(SpecError, match="tf32, which only GPUs support"):
        networks.prepare_training(spec)
