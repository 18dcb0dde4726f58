"""Which of a network's weights a component acts on: the settings that regularizers share with constraints."""

from __future__ import annotations

from typing import ClassVar

from dlrun.language.component import Settings
from dlrun.shapes import Shape


class WeightChoice(Settings):
    """Chooses weights by a pattern. Biases and the scales of norm layers are left out by default."""

    least_rank: ClassVar[int] = 0
    """The number of axes that a weight must have; weights with fewer are left out."""
    by_unit: ClassVar[bool] = False
    """Whether it takes each weight by output units, as `Layer.by_unit` gives them."""

    weights: str = "*"
    """The weights that it acts on: a pattern (`*` and `?`) of weight names, or of layer names, which includes all
    weights inside."""
    include_biases: bool = False
    """Also act on biases."""
    include_scales: bool = False
    """Also act on the scales of norm layers."""

    def suits(self, shape: Shape) -> bool:
        """Whether it can act on a weight of this shape."""
        return len(shape) >= self.least_rank
