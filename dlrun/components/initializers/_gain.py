"""The base of the initializers with a gain."""

from __future__ import annotations

from dlrun.components.initializers import Initializer
from dlrun.language.fields import PositiveFloat


class Gained(Initializer):
    """A spread that depends on the number of inputs and outputs of the weight, times a gain."""

    least_rank = 2

    gain: PositiveFloat = 1.0
    """The factor on the spread, for the activation that follows (tanh: 5/3, relu: sqrt(2))."""
