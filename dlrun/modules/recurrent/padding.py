"""Reading only the real steps of padded sequences, in order, wherever the padding is."""

from __future__ import annotations

import torch
from torch import Tensor


class RealSteps:
    """Moves the real steps of each sequence to its front.

    Args:
        mask: (N, T), True where a step is real.
    """

    def __init__(self, mask: Tensor):
        self.mask = mask
        real = mask.sum(1, keepdim=True)
        self.place = torch.where(mask, mask.cumsum(1), real + (~mask).cumsum(1)) - 1
        """(N, T): the position of each step in the moved sequence."""
        self.lengths = mask.sum(1).clamp(min=1)
        """(N,): the number of real steps; a sequence of only padding is read as one step of zeros."""

    def front(self, x_NTF: Tensor) -> Tensor:
        """The sequences with their real steps first and zeros after them."""
        x_NTF = x_NTF.masked_fill(~self.mask.unsqueeze(2), 0)
        return torch.zeros_like(x_NTF).scatter(1, self._wide(self.place, x_NTF), x_NTF)

    def back(self, x_NTF: Tensor) -> Tensor:
        """The inverse of `front`, except for the padding, which is 0."""
        placed = x_NTF.gather(1, self._wide(self.place, x_NTF))
        return placed.masked_fill(~self.mask.unsqueeze(2), 0)

    def turned(self, x_NTF: Tensor) -> Tensor:
        """Moved sequences with their real steps in reverse order."""
        step = torch.arange(x_NTF.shape[1], device=x_NTF.device).expand(x_NTF.shape[0], -1)
        from_end = self.lengths.unsqueeze(1) - 1 - step
        return x_NTF.gather(1, self._wide(torch.where(from_end >= 0, from_end, step), x_NTF))

    def last(self, x_NTF: Tensor) -> Tensor:
        """The last real step of moved sequences (N, F)."""
        return x_NTF.gather(1, self._wide((self.lengths - 1).unsqueeze(1), x_NTF)).squeeze(1)

    def _wide(self, index_NT: Tensor, x_NTF: Tensor) -> Tensor:
        return index_NT.unsqueeze(2).expand(-1, -1, x_NTF.shape[2])
