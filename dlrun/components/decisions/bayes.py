from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from dlrun.components.decisions import Costs, Decision, DecisionError
from dlrun.language.fields import NonNegative


class Bayes(Decision):
    """Decide for the class with the least expected cost.

    Shape: (classes) -> a class j with the least sum over k of costs[k][j] * p_k; none where `reject` is less than that
    Reference: Duda, Hart and Stork, Pattern Classification, 2001, section 2.2.
    Example: bayes: {costs: [[0, 1], [10, 0]]}
    """

    synonyms = ("minimum_risk", "cost_sensitive", "bayes_risk")

    costs: tuple[tuple[NonNegative, ...], ...]
    """A row for each true class and a column for each decision, as in a confusion matrix: both in the order in which
    `dlrun check` lists the classes."""
    reject: Annotated[float, Field(gt=0)] | None = None
    """The cost of deciding for no class."""

    @property
    def rejects(self) -> bool:
        return self.reject is not None

    def need(self, labels: Sequence[str]) -> None:
        super().need(labels)
        sizes = [len(self.costs), *map(len, self.costs)]
        if any(size != len(labels) for size in sizes):
            rows = f"{len(self.costs)} rows of {', '.join(sorted({str(len(row)) for row in self.costs}))} numbers"
            message = f"the costs are {rows}, and there are {len(labels)} classes"
            hint = f"write a row and a column for each of {', '.join(labels[:10])}{', …' if len(labels) > 10 else ''}"
            raise DecisionError(message, hint, ("costs",))

    def costs_of(self, labels: Sequence[str], threshold: float | None) -> Costs:
        none = () if self.reject is None else (self.reject,)
        return tuple((*row, *none) for row in self.costs)
