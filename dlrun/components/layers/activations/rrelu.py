from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dlrun.components.layers import Range
from dlrun.components.layers._torch import TorchLayer
from dlrun.components.layers.activations._bent import bent


class Rrelu(TorchLayer):
    """A leaky_relu with a random slope for each number in training; in evaluation the middle of the range is used.

    Shape: (...) -> (...), y = x if x > 0 else a*x, a ~ U(lower, upper), or (lower + upper)/2 in evaluation
    Reference: Xu, Wang, Chen and Li, Empirical evaluation of rectified activations in convolutional network, 2015.
    Example: rrelu
    """

    torch_class = "RReLU"

    lower: float = 1 / 8
    """The smallest slope."""
    upper: float = 1 / 3
    """The largest slope."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"lower = {self.lower:g} is above upper = {self.upper:g}")
        return self

    def same_in_training(self) -> bool:
        return False

    def output_range(self, taken: Range) -> Range:
        ends = (*bent(taken, self.lower), *bent(taken, self.upper))
        return min(ends), max(ends)
