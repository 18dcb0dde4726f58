from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dlrun.components.decisions import Costs, Decision, DecisionError, need_class

if TYPE_CHECKING:
    from dlrun.components.decisions import Array


class NeymanPearson(Decision):
    """Find as many rows of one of two classes as a given rate of false alarms allows.

    The threshold is the lowest one for which at most this share of the other class's validation rows is above it.

    Shape: (2) -> the class `positive` where its probability is above the threshold, else the other one
    Reference: Neyman and Pearson, On the problem of the most efficient tests of statistical hypotheses, 1933.
    Example: neyman_pearson: {false_alarm: 0.01, positive: spam}
    """

    synonyms = ("np", "fixed_false_alarm")
    needs_threshold: ClassVar[bool] = True

    false_alarm: Annotated[float, Field(gt=0, lt=1)]
    """The largest share of the other class's rows that may be taken for `positive`."""
    positive: str | None = None
    """The class that is looked for; the last one unless given."""

    def need(self, labels: Sequence[str]) -> None:
        super().need(labels)
        if len(labels) != 2:
            message = f"neyman_pearson decides between two classes, and there are {len(labels)}"
            raise DecisionError(message, "`bayes` with costs decides between several")
        if self.positive is not None:
            need_class(self.positive, labels, ("positive",))

    def looked_for(self, labels: Sequence[str]) -> str:
        return labels[-1] if self.positive is None else self.positive

    def costs_of(self, labels: Sequence[str], threshold: float | None) -> Costs:
        assert threshold is not None
        alarm, miss = (0.0, threshold), (1 - threshold, 0.0)
        return (alarm, miss) if self.looked_for(labels) == labels[1] else (miss[::-1], alarm[::-1])

    def threshold(self, chances: Array, true: Array, labels: Sequence[str]) -> float:
        import numpy as np

        place = list(labels).index(self.looked_for(labels))
        scores = chances[:, place]
        others = np.sort(scores[true != place])[::-1]
        if not len(others):
            name = labels[1 - place]
            raise DecisionError(f"no validation row is '{name}', so the rate of false alarms cannot be found")
        allowed = int(np.floor(self.false_alarm * len(others) + 1e-9))
        if allowed >= len(others):
            return 0.0
        below = others[allowed]  # this one must be no alarm, nor those with the same probability
        above = scores[scores > below]
        return float((below + above.min()) / 2) if len(above) else float((below + 1) / 2)
