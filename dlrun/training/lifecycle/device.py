"""The device, its precision, and its determinism: the same bits every time."""

from __future__ import annotations

import os

import torch
from torch import nn

from dlrun.errors import SpecError
from dlrun.training.objective import Forward, Outputs, each


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

    def forward(*inputs: torch.Tensor) -> Outputs:
        with torch.autocast(device.type, torch.bfloat16):
            outputs = network(*inputs)
        return each(outputs, torch.Tensor.float)

    return forward
