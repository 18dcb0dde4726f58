"""Convolutions that pad an input more at its end than at its beginning, as torch's cannot with a stride above 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class PaddedConv1d(nn.Conv1d):
    """torch's convolution over (N, C, L), with `more` zeros at the end beyond its own padding."""

    def __init__(self, *args: Any, more: tuple[int, ...]):
        super().__init__(*args)
        self.more = _at_the_end(more)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(input, self.more))


class PaddedConv2d(nn.Conv2d):
    """torch's convolution over (N, C, H, W), with `more` zeros at each axis's end beyond its own padding."""

    def __init__(self, *args: Any, more: tuple[int, ...]):
        super().__init__(*args)
        self.more = _at_the_end(more)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(input, self.more))


class PaddedConv3d(nn.Conv3d):
    """torch's convolution over (N, C, D, H, W), with `more` zeros at each axis's end beyond its own padding."""

    def __init__(self, *args: Any, more: tuple[int, ...]):
        super().__init__(*args)
        self.more = _at_the_end(more)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.pad(input, self.more))


def _at_the_end(more: tuple[int, ...]) -> list[int]:
    """As `functional.pad` wants it: the last axis first, before and after."""
    return [count for after in reversed(more) for count in (0, after)]
