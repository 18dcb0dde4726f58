"""Noise in training for which torch has no module."""

from __future__ import annotations

import torch
from torch import nn


class GaussianNoise(nn.Module):
    """In training, x + n with n ~ N(0, std**2), drawn for each number; in evaluation, x."""

    def __init__(self, std: float | torch.Tensor):
        """`std` may be a tensor with no axes, whose value changes from step to step."""
        super().__init__()
        self.std = std

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        return f"std={self.std:g}"


class StochasticDepth(nn.Module):
    """In training, each row of (N, ...) becomes 0 with probability p or is divided by 1 - p; in evaluation, x."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        kept = 1 - self.p
        factor = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(kept)
        return x * (factor / kept if kept else factor)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"
