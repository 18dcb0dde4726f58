"""The decision with the least expected cost, as a module: the last part of a network that decides."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Weighed(nn.Module):
    """Probabilities (..., classes) -> those where the classes are as frequent as elsewhere, (..., classes)."""

    factors: torch.Tensor

    def __init__(self, factors: Sequence[float]):
        """`factors` are what the probability of each class is multiplied by."""
        super().__init__()
        self.register_buffer("factors", torch.tensor(factors, dtype=torch.float64))

    def forward(self, chances: torch.Tensor) -> torch.Tensor:
        weighed = chances * self.factors.to(chances.dtype)
        return weighed / weighed.sum(-1, keepdim=True)


class LeastCost(nn.Module):
    """Probabilities (..., classes) -> the number of a decision (...), int64: a class, or behind these the rejection."""

    costs: torch.Tensor

    def __init__(self, costs: Sequence[Sequence[float]]):
        """`costs` are, for each true class, the cost of each decision."""
        super().__init__()
        self.register_buffer("costs", torch.tensor(costs, dtype=torch.float64))

    def forward(self, chances: torch.Tensor) -> torch.Tensor:
        return self.expected(chances).argmin(-1)

    def expected(self, chances: torch.Tensor) -> torch.Tensor:
        """The expected cost of each decision, (..., decisions)."""
        return chances @ self.costs.to(chances.dtype)
