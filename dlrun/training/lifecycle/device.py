"""The device, its precision, and its determinism: the same bits every time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from dlrun.errors import SpecError
from dlrun.plan.length import Length
from dlrun.training.determinism import refused
from dlrun.training.objective import Forward, Outputs, each
from dlrun.training.speed.capture import SavedState
from dlrun.training.step import TrainedWeights, backward
from dlrun.training.task import Task

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d | Transposed


def choose_device(wanted: str) -> torch.device:
    """The device of a spec's `train.device`.

    Raises:
        SpecError: there is no such device here.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SpecError("`train.device` is cuda, and torch sees no GPU here; train.device=cpu trains without one")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def make_deterministic(seed: int, device: torch.device) -> None:
    """Seed torch, and have it choose algorithms that give the same bits every time."""
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may differ from run to run
    # Not by use_deterministic_algorithms, which also imports torch's compiler: that takes longer than importing torch.
    torch.set_deterministic_debug_mode("warn" if device.type == "cuda" else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def computed_in_any_order(task: Task) -> str:
    """What torch can only compute in any order, so that its bits differ from time to time; '' where there is nothing.

    It is the name of torch's operator. One batch is tried, with all weights that are ever trained.
    """
    if task.device.type != "cuda":
        return ""
    late = [weight for group in task.groups for weight in group.late]
    before = SavedState([*task.network.buffers()], task.device)
    rows = Length.of(task.settings, len(task.data.train)).batch
    for weight in late:
        weight.requires_grad_(True)
    try:
        weights = [TrainedWeights([*group.parameters, *group.late]) for group in task.groups]
        backward(replace(task, in_order=True), weights, task.data.train.batch(slice(0, rows)))
    except RuntimeError as error:  # another error comes again in the first step, which is told as one of training
        return refused(error)
    finally:
        for weight in late:
            weight.requires_grad_(False)
        before.restore()
    return ""


def set_precision(precision: str, device: torch.device) -> None:
    """Set the precision of torch's products of float32 numbers.

    Raises:
        SpecError: the device does not support it.
    """
    rounded = precision == "tf32"
    if rounded and device.type != "cuda":
        raise SpecError("`train.precision` is tf32, which only GPUs support; train.precision=float32 works anywhere")
    torch.set_float32_matmul_precision("high" if rounded else "highest")
    torch.backends.cudnn.allow_tf32 = rounded  # torch's default rounds convolutions, and does not round products


def forward_in(precision: str, network: nn.Module, device: torch.device) -> Forward:
    """The network's forward pass; with bfloat16, torch chooses the operators that are computed in it."""
    if precision != "bfloat16":
        return network
    if device.type == "cpu":
        _compute_in_float32(network)

    def forward(*inputs: torch.Tensor) -> Outputs:
        with torch.autocast(device.type, torch.bfloat16):
            outputs = network(*inputs)
        return each(outputs, torch.Tensor.float)

    return forward


def _compute_in_float32(network: nn.Module) -> None:
    """Have the convolutions that oneDNN 3.12 gets wrong in bfloat16 computed in float32.

    On processors with AMX, those with a stride above 1 give wrong numbers for many sizes, or read memory that nobody
    has written; and those of which a kernel may lie around an axis, with no point on it, end the process.
    """
    for module in network.modules():
        if isinstance(module, Convolution) and "forward" not in vars(module):  # not twice in parts of a network
            module.forward = _exact(module, module.forward)


def _exact(module: Convolution, forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    turned = isinstance(module, Transposed)  # what it gives is the shorter side, which no setting tells
    strided, dilated = max(module.stride) > 1, max(module.dilation) > 1

    def exact(input: torch.Tensor) -> torch.Tensor:
        around = turned or any(step > size for step, size in zip(module.dilation, input.shape[2:], strict=True))
        if not strided and not (dilated and around):
            return forward(input)
        with torch.autocast("cpu", enabled=False):
            return forward(input.float())

    return exact
