"""The base of the normalizations."""

from __future__ import annotations

import math
from typing import ClassVar

from dlrun.components.layers import Role, WeightedLayer
from dlrun.shapes import Shape


class Norm(WeightedLayer):
    """Normalizes numbers, then multiplies them by `weight` and adds `bias`, where it has them."""

    centred: ClassVar[bool] = True
    """Whether the mean is subtracted."""

    def role(self, weight: str) -> Role:
        return "scale" if weight == "weight" else "bias"

    def together(self, shape: Shape) -> int | None:
        """How many numbers of a sample are normalized together; None where that is done over the batch."""
        return None

    def normalizes(self, *shapes: Shape) -> int | None:
        return self.together(*shapes) if self.centred else None

    def farthest(self, *shapes: Shape) -> float:
        # One number alone is large and the others are 0, or each the same step below the mean.
        count = None if self.weights(*shapes) else self.together(*shapes)
        return math.inf if count is None else math.sqrt(count - self.centred)

    def total(self, *shapes: Shape) -> float | None:
        return None if self.normalizes(*shapes) is None or self.weights(*shapes) else 0.0
