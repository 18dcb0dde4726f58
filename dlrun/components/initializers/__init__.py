"""Initializers: how weights start."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Initializer(Component):
    """Fills a weight in place before training, from torch's seeded generator."""

    family: ClassVar[str] = "initializers"
    least_rank: ClassVar[int] = 0
    """How many axes a weight must have: what counts inputs and outputs needs two."""

    def fill(self, weight: torch.Tensor) -> None:
        """Write the first values into `weight`."""
        raise NotImplementedError

    def suits(self, shape: Shape) -> bool:
        """Whether a weight of this shape can be filled."""
        return len(shape) >= self.least_rank
