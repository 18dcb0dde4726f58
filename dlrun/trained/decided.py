"""A decision whose numbers are all known: from probabilities to one class, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

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

    @property
    def changes_shares(self) -> bool:
        """Whether probabilities are changed before a class is decided for."""
        return set(self.factors) != {1.0}

    def classes(self, chances: Array) -> Array:
        """(..., classes) -> (...), the number of the class that is decided for, or `REJECTED`."""
        found = self.expected(chances).argmin(-1)
        return np.where(found < len(self.labels), found, REJECTED)

    def weighed(self, chances: Array) -> Array:
        """(..., classes) -> (..., classes), the probabilities where the classes are as frequent as `priors` say."""
        if not self.changes_shares:
            return chances
        found = chances * np.array(self.factors)
        return found / found.sum(-1, keepdims=True)

    def expected(self, chances: Array) -> Array:
        """(..., classes) -> (..., decisions), the expected cost of each."""
        return self.weighed(chances) @ np.array(self.costs)
