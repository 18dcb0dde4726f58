"""The trained weights of a small network as one tensor, so that an optimizer's step is a few calls for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

MOST = 1 << 16
"""Weights up to which gathering the gradients in one tensor costs less than it saves."""


class FlatWeights:
    """Makes each weight a view of one tensor."""

    def __init__(self, weights: Sequence[nn.Parameter]):
        whole = torch.cat([weight.detach().reshape(-1) for weight in weights])
        start = 0
        for weight in weights:
            weight.data = whole[start : start + weight.numel()].view(weight.shape)
            start += weight.numel()
        self.whole = whole

    @staticmethod
    def suits(weights: Sequence[nn.Parameter]) -> bool:
        """Whether it is worth it."""
        return len(weights) > 1 and sum(weight.numel() for weight in weights) <= MOST
