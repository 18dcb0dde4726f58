"""Convolutions with more padding at the end than at the beginning, which torch lacks for strides above 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class PaddedConv1d(nn.Conv1d):
    """torch's convolution over (N, C, L), with `more` zeros at the end besides its padding."""

    def __init__(self, *args: Any, more: tuple[int, ...]):
        super().__init__(*args)
        self.more = _at_the_end(more)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(input, self.more))


class PaddedConv2d(nn.Conv2d):
    """torch's convolution over (N, C, H, W), with `more` zeros at the end of each axis besides its padding."""

    def __init__(self, *args: Any, more: tuple[int, ...]):
        super().__init__(*args)
        self.more = _at_the_end(more)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(input, self.more))


class PaddedConv3d(nn.Conv3d):
    """torch's convolution over (N, C, D, H, W), with `more` zeros at the end of each axis besides its padding."""

    def __init__(self, *args: Any, more: tuple[int, ...]):
        super().__init__(*args)
        self.more = _at_the_end(more)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(input, self.more))


def _at_the_end(more: tuple[int, ...]) -> list[int]:
    """The argument for `functional.pad`: the last axis first, before and after."""
    return [count for after in reversed(more) for count in (0, after)]
