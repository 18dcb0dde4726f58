"""What the initializers that scale by a gain share."""

from __future__ import annotations

from dlrun.components.initializers import Initializer
from dlrun.language.fields import PositiveFloat


class Gained(Initializer):
    """Spreads weights by how many inputs and outputs they join, times a gain."""

    least_rank = 2

    gain: PositiveFloat = 1.0
    """A factor on the spread, for the activation that follows (tanh: 5/3, relu: sqrt(2))."""
