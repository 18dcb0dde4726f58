"""Poolings that torch does not have."""

from __future__ import annotations

import torch
from torch import nn


def _magnitudes(x: torch.Tensor, power: float) -> torch.Tensor:
    """The base of the power: the magnitude, or x itself where the power is even."""
    return x if power % 2 == 0 else x.abs()


class LpPool1d(nn.LPPool1d):
    """torch's pooling (N, C, L) -> (N, C, L'), over magnitudes, so no power of a negative number is computed."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(_magnitudes(input, self.norm_type))


class LpPool2d(nn.LPPool2d):
    """torch's pooling (N, C, H, W) -> (N, C, H', W'), over magnitudes."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(_magnitudes(input, self.norm_type))


class LpPool3d(nn.LPPool3d):
    """torch's pooling (N, C, D, H, W) -> (N, C, D', H', W'), over magnitudes."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(_magnitudes(input, self.norm_type))


class GlobalAvgPool(nn.Module):
    """The mean of each channel: (N, C, ...) -> (N, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mean(-1)


class GlobalMaxPool(nn.Module):
    """The largest number of each channel: (N, C, ...) -> (N, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).max(-1).values
