"""A training put down and taken up again, in memory: what a checkpoint holds is all that there is."""

from pathlib import Path

import networks
import pytest
import torch

from dlrun.runs.checkpoints import Checkpoint
from dlrun.training.lifecycle.snapshot import restore, snapshot
from dlrun.training.loop import Training
from dlrun.training.speed.flat_weights import MOST
from dlrun.training.state import TrainingState

# Kernels of several channels lie with their channels last, and there are too many weights to be one tensor.
LARGE = """
data: {source: {sklearn: digits}, preprocess: [minmax], split: {validation: 0.8, test: 0}}
model:
  input: [1, 8, 8]
  layers:
    - conv2d: {out_channels: 32, kernel_size: 3}
    - relu
    - conv2d: {out_channels: 256, kernel_size: 3}
    - batch_norm
    - relu
    - global_avg_pool
    - linear: 10
loss: cross_entropy
metrics: [accuracy]
optimizer: %s
train: {epochs: 3, batch_size: 32}
"""


def begun(folder: Path, text: str) -> Training:
    done = networks.Trained(networks.prepare_training(networks.checked(folder, text)))
    return Training(done.ready.task, done, done, TrainingState())


@pytest.mark.parametrize(
    "optimizer",
    ["{adam: {amsgrad: true}}", "adamw", "{rmsprop: {momentum: 0.5, centered: true}}", "{sgd: {momentum: 0.9}}"],
)
def test_a_network_of_convolutions_goes_on_to_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    text = LARGE % optimizer
    whole, half = begun(tmp_path, text), begun(tmp_path, text)
    assert sum(weight.numel() for weight in whole.step.weights.parameters) > MOST
    whole.run()
    half.task.network.train()
    half._epoch()
    tensors, data = snapshot(half, half.task.network.state_dict())
    # As files give them back: numbers in their order, and no layout.
    plain = {
        group: {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in own.items()}
        for group, own in tensors.items()
    }
    other = begun(tmp_path, text)
    restore(other, Checkpoint(half.state.step, plain, data))
    other.run()
    ours, theirs = (training.task.network.state_dict() for training in (other, whole))
    assert {name for name in theirs if not torch.equal(ours[name], theirs[name])} == set()
