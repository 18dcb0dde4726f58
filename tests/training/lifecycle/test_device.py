"""In how many digits a network computes, and that everything else is as it was."""

from pathlib import Path

import networks
import pytest
import torch

from dlrun.errors import SpecError

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
    rows = task.data.validation.inputs[0]
    with torch.no_grad():
        found, exact = task.forward(rows), task.network(rows)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    # 8 bits for each product, which is off by a 256th at most, and some that add up.
    assert (found - exact).norm() < 0.02 * exact.norm()


def test_products_of_float32_numbers_are_not_rounded_unless_asked(done) -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_tf32_without_a_gpu_is_refused(tmp_path: Path) -> None:
    spec = networks.checked(tmp_path, DIGITS % "float32", "train.device=auto", "train.precision=tf32")
    with pytest.raises(SpecError, match="tf32, which only GPUs support"):
        networks.prepare_training(spec)
