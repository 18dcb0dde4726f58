"""Affine maps with fixed numbers: the modules of fitted preprocessing steps.

Their numbers are buffers, so they are not trained, and float64, so there is only one rounding, at the end, to the
network's float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Affine(nn.Module):
    """An affine map of each row (N, ...), computed in float64; returns float32."""

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        """The result before the rounding, float64."""
        raise NotImplementedError

    def errors(self, x: torch.Tensor) -> torch.Tensor:
        """The sizes of independent errors (numbers,) of the numbers of a flattened row, after the map."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.exact(x).float()


class Unscale(nn.Module):
    """The inverse of a `Scale`, computed in float64; returns float64."""

    def __init__(self, scale: Scale):
        super().__init__()
        self.register_buffer("offset", scale.offset)
        self.register_buffer("factor", scale.factor)

    offset: torch.Tensor
    factor: torch.Tensor

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return y.double() / self.factor + self.offset


class Scale(Affine):
    """y = (x - offset) * factor, element by element: (N, ...) -> (N, ...)."""

    offset: torch.Tensor
    factor: torch.Tensor

    def __init__(self, offset: torch.Tensor, factor: torch.Tensor):
        super().__init__()
        self.register_buffer("offset", offset.double())
        self.register_buffer("factor", factor.double())

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return (x.double() - self.offset).mul_(self.factor)

    def errors(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor.abs().flatten()


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

    def errors(self, x: torch.Tensor) -> torch.Tensor:
        return (self.matrix.square() @ x.square()).sqrt()


class OnColumns(Affine):
    """An affine map of some numbers of a row (N, D).

    Where each is changed by itself, all stay in their places: (N, D) -> (N, D). Otherwise what the map makes of them
    comes after the others: (N, D) -> (N, others + made).
    """

    chosen: torch.Tensor
    others: torch.Tensor

    def __init__(self, inner: Affine, chosen: Sequence[int], width: int, in_place: bool):
        super().__init__()
        self.inner, self.in_place = inner, in_place
        others = sorted(set(range(width)) - set(chosen))
        self.register_buffer("chosen", torch.tensor(chosen, dtype=torch.int64))
        self.register_buffer("others", torch.tensor(others, dtype=torch.int64))

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        x = x.double()
        made = self.inner.exact(x[:, self.chosen])
        if self.in_place:
            return x.index_copy(1, self.chosen, made)
        return torch.cat([x[:, self.others], made], 1)

    def errors(self, x: torch.Tensor) -> torch.Tensor:
        made = self.inner.errors(x[self.chosen])
        if self.in_place:
            return x.index_copy(0, self.chosen, made)
        return torch.cat([x[self.others], made])


def back(steps: Sequence[Affine]) -> nn.Sequential:
    """The inverse of scaling steps, in float64."""
    return nn.Sequential(*(Unscale(step) for step in reversed(steps) if isinstance(step, Scale)))
