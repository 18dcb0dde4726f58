"""What a decision costs, beside always deciding in one way; and how often it finds a class, and is wrong in that."""

from __future__ import annotations

import math

import numpy as np

from dlrun.trained.answers import Answers
from dlrun.trained.report.figures import DecisionReport, Rate, Risk

LEVEL = 0.95
"""Of the intervals."""
MOST_CLASSES = 20
"""Constant decisions that are listed: those with the lowest risk."""


def report_decision(answers: Answers) -> DecisionReport | None:
    """What the decision of an output comes to; None where it has none."""
    decision = answers.decision
    if decision is None:
        return None
    labels, count = answers.labels, len(answers.labels)
    chances = answers.values.reshape(-1, count)
    true = np.full(len(chances), -1) if answers.true is None else answers.true.reshape(-1)
    finite = np.isfinite(chances).all(1)
    chances, true = chances[finite], true[finite]
    expected, costs = decision.expected(chances), np.array(decision.costs)
    taken = expected.argmin(1) if len(chances) else np.zeros(0, np.int64)
    known = true >= 0
    weights = np.array(decision.factors)[true[known]]
    weights = weights / weights.sum() if len(weights) else weights

    def observed(actions: np.ndarray) -> float:
        """The mean cost with what is true; rows weigh as much as `priors` make of their class."""
        return float(costs[true[known], actions[known]] @ weights) if len(weights) else math.nan

    means = expected.mean(0) if len(chances) else np.full(costs.shape[1], np.nan)
    always = [
        Risk(f"always {labels[number]}", float(means[number]), observed(np.full(len(chances), number)))
        for number in sorted(np.argsort(means[:count], kind="stable")[:MOST_CLASSES].tolist())
    ]
    if decision.threshold is not None:  # its costs are only another form of the threshold
        always = []
    own = Risk("the network's decisions", float(expected.min(1).mean()) if len(chances) else math.nan, observed(taken))
    detection = alarm = None
    if decision.threshold is not None:
        place = labels.index(decision.positive)
        found, wanted = taken[known] == place, true[known] == place
        detection, alarm = _rate(found[wanted]), _rate(found[~wanted])
    return DecisionReport(
        answers.output,
        decision.kind,
        len(chances),
        int((taken >= count).sum()),
        decision.threshold,
        decision.positive,
        detection,
        alarm,
        (own, *always),
        decision.rejects,
    )


def _rate(hits: np.ndarray) -> Rate:
    """A share with its interval: Clopper and Pearson, The use of confidence or fiducial limits, 1934."""
    from scipy.stats import beta

    rows, count = len(hits), int(hits.sum())
    if not rows:
        return Rate(0, 0, math.nan, math.nan, math.nan)
    tail = (1 - LEVEL) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, rows - count + 1))
    high = 1.0 if count == rows else float(beta.ppf(1 - tail, count + 1, rows - count))
    return Rate(count, rows, count / rows, low, high)
