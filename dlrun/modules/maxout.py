"""The largest of several linear maps."""

from __future__ import annotations

import torch
from torch import nn


class Maxout(nn.Linear):
    """A linear map to (N, ..., outputs*pieces), then the largest of each output's pieces: (N, ..., outputs)."""

    def __init__(self, in_features: int, outputs: int, pieces: int, bias: bool):
        super().__init__(in_features, outputs * pieces, bias)
        self.pieces = pieces

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input).unflatten(-1, (-1, self.pieces)).amax(-1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, pieces={self.pieces}"
