"""A training put down and taken up again, in memory: what a checkpoint holds is all that there is."""

from pathlib import Path

import networks
import pytest
import torch

from dlrun.language.kinds import find, kinds
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

COUNTING = [kind for kind in networks.STEPPING if find("optimizers", kind).counts]  # type: ignore[attr-defined]
"""Optimizers whose two groups share what they count."""


def begun(folder: Path, text: str) -> Training:
    done = networks.Trained(networks.prepare_training(networks.checked(folder, text)))
    return Training(done.ready.task, done, done, TrainingState())


@pytest.mark.parametrize(
    "optimizer",
    [
        *("{adam: {amsgrad: true}}", "adamw", "{rmsprop: {momentum: 0.5, centered: true}}", "{sgd: {momentum: 0.9}}"),
        "{adagrad: {lr_decay: 0.1}}",
        *(f"[{kind}: {{weights: linear_1.weight}}, sgd: {{momentum: 0.9}}]" for kind in networks.STEPPING),
        *(f"[{kind}: {{weights: linear_1}}, {kind}: {{lr: 1e-4}}]" for kind in COUNTING),
        "{sgd: {momentum: 0.5, schedule: [step: 1, reduce_on_plateau: {of: momentum, patience: 0, threshold: 0.9}]}}",
        "adam\nregularizers: [l2: 1e-3]\nschedule: {linear: {of: '*.coefficient', end_factor: 9}}",
        "[adam: {weights: conv*, schedule: {reduce_on_plateau: {patience: 0, threshold: 0.9}}}, nadam: {}]",
    ],
)
def test_a_network_of_convolutions_goes_on_to_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    resumes_to_the_same_bits(tmp_path, LARGE % optimizer)


@pytest.mark.parametrize("optimizer", networks.SEARCHING)
def test_an_optimizer_that_searches_goes_on_to_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    text = LARGE.replace("global_avg_pool", "global_avg_pool\n    - dropout: 0.2") % optimizer
    text = text.replace("validation: 0.8", "validation: 0.95").replace(
        "epochs: 3, batch_size: 32", "steps: 6, batch_size: full"
    )
    resumes_to_the_same_bits(tmp_path, text + "schedule: {linear: 0.1}")


SCHEDULES = {
    "constant": "{total_iters: 2 epochs}",
    "cosine_annealing": "{warmup: 1 epoch}",
    "cosine_annealing_warm_restarts": "{T_0: 7 steps, T_mult: 2}",
    "cyclic": "{base_lr: 1e-3, step_size_up: 5 steps}",
    "exponential": "0.5",
    "fractional": "0.5",
    "linear": "0.1",
    "multi_step": "{milestones: [1 epoch, 2 epochs]}",
    "one_cycle": "{div_factor: 5.0}",
    "polynomial": "2.0",
    "reduce_on_plateau": "{patience: 0, threshold: 0.9}",
    "step": "1 epoch",
    "warmup_stable_decay": "{decay: 2 epochs, warmup: 3 steps}",
}


def test_every_schedule_has_settings_for_three_epochs() -> None:
    assert set(SCHEDULES) == set(kinds("schedules"))


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_schedule_goes_on_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    text = LARGE % "{sgd: {lr: 0.1}}" + f"schedule: {{{kind}: {SCHEDULES[kind]}}}"
    whole = resumes_to_the_same_bits(tmp_path, text)
    rates = {metrics["lr"] for metrics in whole.watcher.epochs}  # type: ignore[attr-defined]
    assert len(rates) > 1 or kind == "cyclic"


def test_a_dropout_that_changes_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    text = (
        LARGE.replace("    - global_avg_pool", "    - dropout: {p: 0.2, name: noisy}\n    - global_avg_pool") % "adam"
    )
    whole = resumes_to_the_same_bits(tmp_path, text + "schedule: {linear: {of: noisy.p, end_factor: 3}}")
    assert len({metrics["noisy.p"] for metrics in whole.watcher.epochs}) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("until", ["1 epoch", "3 steps"])
@pytest.mark.parametrize("optimizer", networks.STEPPING)
def test_weights_that_are_frozen_at_first_go_on_to_the_same_bits(optimizer: str, until: str, tmp_path: Path) -> None:
    text = LARGE % f"[{optimizer}: {{weights: linear_1.weight}}, adam: {{}}]"
    frozen = f"  freeze: {{names: [conv2d_1, batch_norm_1, linear_1], until: {until}}}\n"
    resumes_to_the_same_bits(tmp_path, text.replace("model:\n", f"model:\n{frozen}"))


def resumes_to_the_same_bits(folder: Path, text: str) -> Training:
    whole, half = begun(folder, text), begun(folder, text)
    assert sum(weight.numel() for weight in whole.task.network.parameters()) > MOST
    torch.manual_seed(3)  # as both begin in a process of their own
    whole.run()
    torch.manual_seed(3)
    half.task.network.train()
    half._epoch()
    tensors, data = snapshot(half, half.task.network.state_dict())
    # As files give them back: numbers in their order, and no layout.
    plain = {
        group: {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in own.items()}
        for group, own in tensors.items()
    }
    other = begun(folder, text)
    restore(other, Checkpoint(half.state.step, plain, data))
    other.run()
    ours, theirs = (training.task.network.state_dict() for training in (other, whole))
    assert {name for name in theirs if not torch.equal(ours[name], theirs[name])} == set()
    return whole
