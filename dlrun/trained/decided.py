"""A decision whose numbers are all known: from probabilities to one class, or none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dlrun.modules.decision import LeastCost

    Array = np.ndarray[Any, Any]

REJECTED = -1
"""In place of the number of a class."""


@dataclass(frozen=True, eq=False)
class Decided:
    """A decision whose numbers are all known, for the classes of an output in their order."""

    kind: str
    labels: tuple[str, ...]
    factors: tuple[float, ...]
    """What the probability of each class is multiplied by."""
    costs: tuple[tuple[float, ...], ...]
    """For each true class the cost of each decision: of each class, and then of a rejection, if there may be one."""
    threshold: float | None = None
    positive: str = ""
    """The class whose probability is compared with the threshold."""

    @property
    def rejects(self) -> bool:
        """Whether it may decide for none of the classes."""
        return len(self.costs[0]) > len(self.labels)

    @cached_property
    def module(self) -> LeastCost:
        """From probabilities to decisions."""
        from dlrun.modules.decision import LeastCost  # imports torch, which the figures of a report do not need

        return LeastCost(self.factors, self.costs)

    def classes(self, chances: Array) -> Array:
        """(..., classes) -> (...), the number of the class that is decided for, or `REJECTED`."""
        import torch

        found = self.module(torch.from_numpy(np.ascontiguousarray(chances))).numpy()
        return np.where(found < len(self.labels), found, REJECTED)

    def weighed(self, chances: Array) -> Array:
        """(..., classes) -> (..., classes), the probabilities where the classes are as frequent as `priors` say."""
        if set(self.factors) == {1.0}:
            return chances
        found = chances * np.array(self.factors)
        return found / found.sum(-1, keepdims=True)

    def expected(self, chances: Array) -> Array:
        """(..., classes) -> (..., decisions), the expected cost of each."""
        import torch

        return self.module.expected(torch.from_numpy(np.ascontiguousarray(chances))).numpy()
