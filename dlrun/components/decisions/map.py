from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from dlrun.components.decisions import Costs, Decision, DecisionError


class Map(Decision):
    """Decide for the most probable class (maximum a posteriori), and for none where it is not probable enough.

    Shape: (classes) -> a class k with the largest p_k; with `reject` r, none where p_k < 1 - r
    Reference: Chow, On optimum recognition error and reject tradeoff, 1970.
    Example: map: {reject: 0.2}
    """

    synonyms = ("maximum_a_posteriori", "argmax", "chow")

    reject: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The cost of a rejection, where an error costs 1: a row is rejected where its error is more probable than that."""

    @property
    def rejects(self) -> bool:
        return self.reject is not None

    def need(self, labels: Sequence[str]) -> None:
        super().need(labels)
        if self.reject is not None and self.reject >= (least := 1 - 1 / len(labels)):
            most = f"of {len(labels)} classes the probability of an error is at most {least:.4g}"
            raise DecisionError(f"no row is ever rejected: {most}", f"write a number below {least:.4g}", ("reject",))

    def costs_of(self, labels: Sequence[str], threshold: float | None) -> Costs:
        none = () if self.reject is None else (self.reject,)
        return tuple((*(float(one != other) for other in labels), *none) for one in labels)
