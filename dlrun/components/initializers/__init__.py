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
    """The number of axes that a weight must have: an initializer that uses fan-in and fan-out needs two."""

    def fill(self, weight: torch.Tensor) -> None:
        """Fill `weight` with its first values."""
        raise NotImplementedError

    def suits(self, shape: Shape) -> bool:
        """Whether a weight of this shape can be filled."""
        return len(shape) >= self.least_rank
