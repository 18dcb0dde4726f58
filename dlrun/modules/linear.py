"""A linear layer that uses the fastest matrix product of torch."""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from dlrun.modules.private_torch import linear_of_onednn

LEAST = 1 << 24
"""Multiply-adds from which oneDNN's product is faster than that of MKL, torch's BLAS; below, it takes longer to start.

Measured on two cores of an AMD EPYC, for 1 to 2048 rows and 64 to 4096 numbers, with one thread and with two: from here
on 0.43 to 0.98 of MKL's time, 0.87 for 128 rows of 784 to 512.
"""


class Linear(nn.Linear):
    """y = x W^T + b: (..., F) -> (..., out_features)."""

    relu = False
    """Whether to return relu(y) instead, computed with the product while its numbers are in the cache."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if suits(input, self.weight):
            return _Product.apply(input, self.weight, self.bias, self.relu)
        y = linear(input, self.weight, self.bias)
        if not self.relu:
            return y
        return y.relu_() if y.dim() == 2 else y.relu()  # of a sequence, y is a view of rows


def suits(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether oneDNN computes a product: it is large, of float32, and on a CPU of the measured type."""
    return (
        not torch.compiler.is_compiling()  # the batch of an exported network is of any size
        and x.numel() * len(weight) >= LEAST
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and _there()
        and not torch.is_autocast_enabled("cpu")
    )


def _there() -> bool:
    return (
        torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and platform.machine() in ("x86_64", "AMD64")
    )


class _Product(torch.autograd.Function):
    """oneDNN's x W^T + b, or its relu, and its product for x's gradient; for W's neither library is always faster."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, relu: bool) -> torch.Tensor:
        y = linear_of_onednn(x, weight, bias, "relu" if relu else "none", [], "")
        ctx.has_bias, ctx.relu = bias is not None, relu
        ctx.save_for_backward(x, weight, *([y] if relu else []))
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        x, weight, *y = ctx.saved_tensors
        if ctx.relu:
            grad = torch.ops.aten.threshold_backward(grad, *y, 0)
        rows = grad.reshape(-1, grad.shape[-1])
        for_x = _Product.apply(grad, weight.t(), None, False) if ctx.needs_input_grad[0] else None
        for_weight = rows.t() @ x.reshape(-1, x.shape[-1]) if ctx.needs_input_grad[1] else None
        for_bias = rows.sum(0) if ctx.has_bias and ctx.needs_input_grad[2] else None
        return for_x, for_weight, for_bias, None
