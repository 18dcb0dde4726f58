"""Affine maps with fixed numbers: the modules of fitted preprocessing steps.

Their numbers are buffers, so they are not trained, and float64, so there is only one rounding, at the end, to the
network's float32.
"""

from __future__ import annotations

import torch
from torch import nn


class Affine(nn.Module):
    """An affine map of each row (N, ...), computed in float64; returns float32."""

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        """The result before the rounding, float64."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.exact(x).float()


class Scale(Affine):
    """y = (x - offset) * factor, element by element: (N, ...) -> (N, ...)."""

    offset: torch.Tensor
    factor: torch.Tensor

    def __init__(self, offset: torch.Tensor, factor: torch.Tensor):
        super().__init__()
        self.register_buffer("offset", offset.double())
        self.register_buffer("factor", factor.double())

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return (x.double() - self.offset) * self.factor


class Projection(Affine):
    """y = (x - mean) @ matrix^T on each flattened row: (N, ...) of d numbers -> (N, k)."""

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, mean: torch.Tensor, matrix: torch.Tensor):
        super().__init__()
        self.register_buffer("mean", mean.double())
        self.register_buffer("matrix", matrix.double())

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return (x.double().flatten(1) - self.mean) @ self.matrix.T
