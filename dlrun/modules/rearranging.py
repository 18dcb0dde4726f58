"""Modules that move numbers without computing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Permute(nn.Module):
    """Changes the order of the axes, including the batch."""

    def __init__(self, dims: Sequence[int]):
        super().__init__()
        self.dims = tuple(dims)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        return str(self.dims)


class Squeeze(nn.Module):
    """Removes an axis of size 1."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Select(nn.Module):
    """Keeps one entry of an axis, or a slice of it. With a mask (N, T), only the real steps are counted."""

    def __init__(self, dim: int, kept: int | slice):
        super().__init__()
        self.where = (slice(None),) * dim + (kept,)
        self.kept = kept

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if mask is None:
            return x[self.where]
        assert isinstance(self.kept, int)
        count = mask.sum(1)
        wanted = self.kept if self.kept >= 0 else count + self.kept
        number = mask.cumsum(1) - 1  # of each real step, from 0
        chosen = mask & (number == torch.as_tensor(wanted, device=x.device).expand(x.shape[0])[:, None])
        # A sum over at most one step; for a sequence that is too short it is 0.
        return torch.where(chosen[(...,) + (None,) * (x.dim() - 2)], x, 0).sum(1)

    def extra_repr(self) -> str:
        return str(self.where)
