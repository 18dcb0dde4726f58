"""Affine maps with fixed numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dlrun.modules.frozen_map import FrozenMap


class Scale(FrozenMap):
    """y = (x - offset) * factor, element by element: (N, ...) -> (N, ...)."""

    offset: torch.Tensor
    factor: torch.Tensor

    def __init__(self, offset: torch.Tensor, factor: torch.Tensor):
        super().__init__()
        self.register_buffer("offset", offset.double())
        self.register_buffer("factor", factor.double())

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.offset).mul_(self.factor)

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return sizes * self.factor.abs()

    def back(self, y: torch.Tensor) -> torch.Tensor:
        return y / self.factor + self.offset


class Projection(FrozenMap):
    """y = (x - mean) @ matrix^T on each flattened row: (N, ...) of d numbers -> (N, k), or another shape of k."""

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, mean: torch.Tensor, matrix: torch.Tensor, shape: Sequence[int] | None = None):
        super().__init__()
        self.register_buffer("mean", mean.double())
        self.register_buffer("matrix", matrix.double())
        self.shape = (len(matrix),) if shape is None else tuple(shape)

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return ((x.flatten(1) - self.mean.flatten()) @ self.matrix.T).reshape(-1, *self.shape)

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return (sizes.flatten(1).square() @ self.matrix.square().T).sqrt().reshape(-1, *self.shape)
