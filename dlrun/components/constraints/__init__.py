"""Constraints: bounds on weights, which hold from the start of training and after every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dlrun.language.component import Component
from dlrun.language.weight_choice import WeightChoice
from dlrun.shapes import Range

if TYPE_CHECKING:
    import torch


class Constraint(WeightChoice, Component):
    """A bound on weights."""

    family: ClassVar[str] = "constraints"

    def apply(self, weights: list[torch.Tensor]) -> None:
        """Change these weights in place so that they obey, and read nothing back; with `by_unit`, the first axis of
        each is that of the output units."""
        raise NotImplementedError

    def allowed(self) -> Range:
        """The range of what it bounds."""
        raise NotImplementedError

    def keeps(self, other: Constraint) -> bool:
        """Whether weights that obey another constraint still do after this one is applied."""
        if isinstance(self, NormConstraint) is isinstance(other, NormConstraint):
            return max(self.allowed()[0], other.allowed()[0]) <= min(self.allowed()[1], other.allowed()[1])
        low, high = (other if isinstance(self, NormConstraint) else self).allowed()
        least, _ = (self if isinstance(self, NormConstraint) else other).allowed()
        if least == 0:  # both only move numbers towards 0, if that is within the range
            return low <= 0 <= high
        if isinstance(self, NormConstraint):  # signs stay, and no number of a vector of length 1 is beyond 1
            return (low == 0 or low <= -1) and (high == 0 or high >= 1)
        return low <= -1 and high >= 1


class NumbersConstraint(Constraint):
    """A range for each number of a weight."""

    def apply(self, weights: list[torch.Tensor]) -> None:
        for weight in weights:
            weight.clamp_(*self.allowed())


class NormConstraint(Constraint):
    """A range for the norm of the weights that lead into each output unit.

    The first axis of a weight is that of the output units, in a transposed convolution the second. A kernel's other
    axes count together. A recurrent layer has a norm for each gate of each unit, an embedding for each index.
    """

    by_unit: ClassVar[bool] = True
    least_rank: ClassVar[int] = 1

    def factors(self, norms: torch.Tensor) -> torch.Tensor:
        """The factors that bring weights of these norms into the range."""
        raise NotImplementedError

    def apply(self, weights: list[torch.Tensor]) -> None:
        for weight in weights:
            rows = weight.unsqueeze(-1)  # so that there is an axis to sum over
            # torch's own norm adds up in float32 one by one, and is wrong by a thousandth for many numbers.
            norms = rows.square().sum(tuple(range(1, rows.dim())), keepdim=True).sqrt()
            rows.mul_(self.factors(norms))
