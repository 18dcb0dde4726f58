"""How exactly the network is computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from dlrun.errors import SpecError
from dlrun.training.objective import Outputs, each

Forward = Callable[..., Outputs]
"""From a batch for each input to the outputs, float32."""


def set_precision(precision: str, device: torch.device) -> None:
    """Tell torch how exact the products of float32 numbers have to be.

    Raises:
        SpecError: the device has no such products.
    """
    rounded = precision == "tf32"
    if rounded and device.type != "cuda":
        raise SpecError("`train.precision` is tf32, which GPUs alone have; train.precision=float32 computes on any")
    torch.set_float32_matmul_precision("high" if rounded else "highest")
    torch.backends.cudnn.allow_tf32 = rounded  # torch's own choice is that convolutions are rounded, products are not


def forward_in(precision: str, network: nn.Module, device: torch.device) -> Forward:
    """The network's forward pass; with bfloat16, torch chooses the operators that stand it."""
    if precision != "bfloat16":
        return network

    def forward(*inputs: torch.Tensor) -> Outputs:
        with torch.autocast(device.type, torch.bfloat16):
            outputs = network(*inputs)
        return each(outputs, torch.Tensor.float)

    return forward
