from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dlrun.components.layers import Layer, Range
from dlrun.components.layers.activations._bent import bent
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class Rrelu(Layer):
    """A leaky_relu with a random slope for each number in training; in evaluation the middle of the range is used.

    Shape: (...) -> (...), y = x if x > 0 else a*x, a ~ U(lower, upper), or (lower + upper)/2 in evaluation
    Reference: Xu, Wang, Chen and Li, Empirical evaluation of rectified activations in convolutional network, 2015.
    Example: rrelu
    """

    padding_is = "per_step"

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

    def build(self, shape: Shape) -> torch.nn.Module:
        from dlrun.modules.activations import RRelu

        return RRelu(self.lower, self.upper)
