"""Initializers: the first values of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Initializer(Component):
    """Fills a weight in place before training, with torch's seeded generator."""

    family: ClassVar[str] = "initializers"
    least_rank: ClassVar[int] = 0
    """The least number of axes that a weight must have: an initializer that uses fan-in and fan-out needs two."""
    most_rank: ClassVar[int | None] = None
    """The largest number of axes that a weight may have; None where there is none."""

    def fill(self, weight: torch.Tensor) -> None:
        """Fill `weight` with its first values."""
        raise NotImplementedError

    def suits(self, shape: Shape) -> bool:
        """Whether a weight of this shape can be filled."""
        return len(shape) >= self.least_rank and (self.most_rank is None or len(shape) <= self.most_rank)

    def needed(self) -> str:
        """What it needs, in words: `a weight with 2 axes`."""
        upwards = "" if self.most_rank in (None, self.least_rank) else f" to {self.most_rank}"
        return f"a weight with {self.least_rank}{upwards} axes"
