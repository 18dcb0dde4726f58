"""Maps of single numbers that are not affine, with fixed numbers."""

from __future__ import annotations

import math
from typing import Literal

import torch

from dlrun.modules.frozen_map import FrozenMap, OutOfDomainError

TAIL = 1e-7
"""Shares nearer to 0 or 1 become the normal distribution's quantile of this share; the bound is scikit-learn's."""


class Log1p(FrozenMap):
    """y = log(1 + x), element by element: (N, ...) -> (N, ...). A number of -1 or less raises OutOfDomainError; in an
    exported network, which raises nothing, it becomes NaN."""

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        wrong = x <= -1
        if torch.compiler.is_compiling():
            return torch.where(wrong, torch.nan, x).log1p()
        if wrong.any():
            row, number = wrong.flatten(1).nonzero()[0].tolist()
            raise OutOfDomainError("log1p takes numbers above -1", row, number, x.flatten(1)[row, number].item())
        return x.log1p()

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return sizes / (1 + x)

    def back(self, y: torch.Tensor) -> torch.Tensor:
        return y.expm1()


class Clip(FrozenMap):
    """y = x, or the nearest of two bounds where x is beyond them; element by element: (N, ...) -> (N, ...)."""

    min: torch.Tensor | float
    max: torch.Tensor | float

    def __init__(self, min: torch.Tensor | float | None, max: torch.Tensor | float | None):
        """The bounds: one for all numbers, or one for each; None for no bound."""
        super().__init__()
        for name, bound, none in (("min", min, -math.inf), ("max", max, math.inf)):
            if isinstance(bound, torch.Tensor):
                self.register_buffer(name, bound.double())
            else:
                setattr(self, name, none if bound is None else bound)

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=self.min).clamp(max=self.max)

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return torch.where((x < self.min) | (x > self.max), 0.0, sizes)


class Quantiles(FrozenMap):
    """The share of the numbers that are smaller, by linear interpolation between quantiles; element by element:
    (N, ...) -> (N, ...). For `normal` the quantile of the standard normal distribution at that share.

    A number that is equal to several quantiles has the mean of the first and the last of their shares. A number whose
    quantiles are all equal becomes 0.
    """

    quantiles: torch.Tensor

    def __init__(self, quantiles: torch.Tensor, distribution: Literal["uniform", "normal"]):
        """`quantiles` (count, ...) are those of shares evenly spaced from 0 to 1."""
        super().__init__()
        self.register_buffer("quantiles", quantiles.double())
        self.distribution = distribution

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        known, columns = self._columns(x)
        share = self._share(columns, known)
        if self.distribution == "normal":
            share = torch.special.ndtri(share.clamp(TAIL, 1 - TAIL))
        share = torch.where(known[:, :1] == known[:, -1:], 0.0, share)
        return torch.where(columns.isnan(), columns, share).T.reshape(x.shape)

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        known, columns = self._columns(x)
        last = known.shape[1] - 1
        high = torch.searchsorted(known, columns, right=True).clamp(1, last)
        wide = known.gather(1, high) - known.gather(1, high - 1)
        slope = torch.where(wide > 0, 1 / (last * wide), 0.0)
        slope = torch.where((columns < known[:, :1]) | (columns > known[:, -1:]), 0.0, slope)
        if self.distribution == "normal":
            normal = torch.special.ndtri(self._share(columns, known).clamp(TAIL, 1 - TAIL))
            slope = slope * math.sqrt(2 * math.pi) * (normal.square() / 2).exp()
        return sizes * slope.T.reshape(x.shape)

    def back(self, y: torch.Tensor) -> torch.Tensor:
        known, columns = self._columns(y)
        if self.distribution == "normal":
            columns = torch.special.ndtr(columns)
            columns = torch.where(columns <= TAIL, 0.0, torch.where(columns >= 1 - TAIL, 1.0, columns))
        last = known.shape[1] - 1
        place = columns.clamp(0, 1) * last
        low = place.nan_to_num().floor().clamp(0, last - 1).long()
        first, second = known.gather(1, low), known.gather(1, low + 1)
        return torch.lerp(first, second, place - low).T.reshape(y.shape)

    def _columns(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The quantiles (numbers, count) and the rows (numbers, N), of each number of a row."""
        return self.quantiles.flatten(1).T.contiguous(), x.flatten(1).T.contiguous()

    @staticmethod
    def _share(columns: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """The share (numbers, N) of each number."""
        last = known.shape[1] - 1
        left = torch.searchsorted(known, columns)  # the first quantile that is not smaller
        right = torch.searchsorted(known, columns, right=True)  # the first that is larger
        high = left.clamp(1, last)
        low = high - 1
        from_, to = known.gather(1, low), known.gather(1, high)
        between = low + (columns - from_) / torch.where(to > from_, to - from_, 1.0)
        place = torch.where(right > left, (left + right - 1) / 2, between) / last
        place = torch.where(columns <= known[:, :1], 0.0, place)
        return torch.where(columns >= known[:, -1:], 1.0, place)
