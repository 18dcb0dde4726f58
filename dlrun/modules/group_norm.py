"""A group norm that may be a network's first layer."""

from __future__ import annotations

import torch
from torch import nn


class GroupNorm(nn.GroupNorm):
    """torch's group norm (N, C, ...) -> (N, C, ...)."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        # torch's backward pass crashes the process where channels are last in memory and the input needs no gradient.
        if torch.is_grad_enabled() and not input.requires_grad:
            input = input.contiguous()
        return super().forward(input)
