"""The metric that decides which weights are the best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from dlrun.language.experiment import TrainSection
from dlrun.plan.losses import Term
from dlrun.plan.metrics import Watched


@dataclass(frozen=True, slots=True)
class Monitor:
    """The metric that decides which weights are the best."""

    name: str
    rising: bool
    """Whether a larger value is better."""
    delta: float
    """Only a change larger than this is better."""
    newest: bool = False
    """Whether the last epoch is the best, as there are no validation rows that could tell."""

    def is_better(self, value: float, best: float) -> bool:
        """Whether a finite value is better than the best so far, which is NaN at first."""
        return (
            self.newest or math.isnan(best) or (value > best + self.delta if self.rising else value < best - self.delta)
        )


def monitor(train: TrainSection, watched: Iterable[Watched], validated: bool) -> Monitor:
    """The metric of early stopping or of `best`, else the loss, of the validation rows; without those the last epoch is
    the best."""
    stopping, chosen = train.early_stopping, train.early_stopping or train.best
    name = chosen.monitor if chosen else "validation/loss" if validated else "train/loss"
    return Monitor(name, is_rising(name, watched), stopping.min_delta if stopping else 0.0, not validated)


def directions(terms: Iterable[Term], watched: Iterable[Watched]) -> dict[str, bool]:
    """Whether more is better, for the losses and for each value of a metric of which more, or less, is better."""
    found = dict.fromkeys(["loss", *(term.name for term in terms)], False)
    for one in watched:
        if one.metric.greater_is_better is not None:
            found |= dict.fromkeys(one.names, one.metric.greater_is_better)
    return found


def is_rising(name: str, watched: Iterable[Watched]) -> bool:
    """Whether a larger value is better, of a metric such as `validation/accuracy`; a smaller loss is better."""
    measured = name.partition("/")[2]
    return any(measured in one.names and one.metric.greater_is_better for one in watched)
