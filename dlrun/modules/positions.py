"""What tells a network where in a sequence it is."""

from __future__ import annotations

import torch
from torch import nn


class PositionalEncoding(nn.Module):
    """Adds fixed sines and cosines to x (N, T, E)."""

    encoding: torch.Tensor

    def __init__(self, steps: int, features: int, base: float):
        super().__init__()
        position = torch.arange(steps, dtype=torch.float64)[:, None]
        pair = torch.arange(0, features, 2, dtype=torch.float64)
        angle = position / base ** (pair / features)
        encoding = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :features]
        self.register_buffer("encoding", encoding.float())

    def forward(self, x_NTE: torch.Tensor) -> torch.Tensor:
        return x_NTE + self.encoding


class PositionEmbedding(nn.Embedding):
    """Adds a trained vector for each position to x (N, T, E)."""

    def forward(self, x_NTE: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return x_NTE + self.weight[: x_NTE.shape[1]]
