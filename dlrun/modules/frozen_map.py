"""Maps with fixed numbers: the base of the modules of fitted preprocessing steps.

Their numbers are buffers, so they are not trained, and float64, so there is only one rounding, to the network's
float32, after the last of them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn


class OutOfDomainError(ValueError):
    """A number that a map is not defined for."""

    def __init__(self, message: str, row: int, number: int, value: float):
        """Say which number it is.

        Args:
            message: which numbers the map takes.
            row: its row, from 0 on.
            number: its place in the flattened row, from 0 on.
            value: the number.
        """
        super().__init__(f"row {row} holds {value:g} as its number {number + 1}; {message}")
        self.message, self.row, self.number, self.value = message, row, number, value


class FrozenMap(nn.Module):
    """A map of each row (N, ...) with fixed numbers, computed in float64."""

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        """What becomes of rows in float64; float64.

        Raises:
            OutOfDomainError: the map is not defined for one of the numbers.
        """
        raise NotImplementedError

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        """The sizes of independent errors of all numbers of rows `x`, after the map, to the first order."""
        raise NotImplementedError

    def back(self, y: torch.Tensor) -> torch.Tensor:
        """The inverse of `exact`, for the maps of single numbers that have one."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.exact(x.double())


class OnColumns(FrozenMap):
    """A map of some numbers of a row (N, D).

    Where each is changed by itself, all stay in their places: (N, D) -> (N, D). Otherwise what the map makes of them
    comes after the others: (N, D) -> (N, others + made).
    """

    chosen: torch.Tensor
    others: torch.Tensor

    def __init__(self, inner: FrozenMap, chosen: Sequence[int], width: int, in_place: bool):
        super().__init__()
        self.inner, self.in_place = inner, in_place
        others = sorted(set(range(width)) - set(chosen))
        self.register_buffer("chosen", torch.tensor(chosen, dtype=torch.int64))
        self.register_buffer("others", torch.tensor(others, dtype=torch.int64))

    def exact(self, x: torch.Tensor) -> torch.Tensor:
        try:
            made = self.inner.exact(x[:, self.chosen])
        except OutOfDomainError as error:
            number = int(self.chosen[error.number])
            raise OutOfDomainError(error.message, error.row, number, error.value) from None
        return self._joined(x, made)

    def errors(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        return self._joined(sizes, self.inner.errors(x[:, self.chosen], sizes[:, self.chosen]))

    def _joined(self, x: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        if self.in_place:
            return x.index_copy(1, self.chosen, made)
        return torch.cat([x[:, self.others], made], 1)


class Back(nn.Module):
    """The inverse of a map, computed in float64."""

    def __init__(self, step: FrozenMap):
        super().__init__()
        self.step = copy.deepcopy(step)  # it may be moved to another device than the step

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return self.step.back(y.double())


def back(steps: Sequence[FrozenMap]) -> nn.Sequential:
    """The inverse of steps that are applied one after the other, in float64."""
    return nn.Sequential(*(Back(step) for step in reversed(steps)))
