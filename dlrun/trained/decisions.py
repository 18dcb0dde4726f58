"""The decisions of a run: their thresholds are found in the validation rows, once, and travel with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dlrun.errors import RunError
from dlrun.plan.decisions import DecisionPlan
from dlrun.runs import folder as run_folder
from dlrun.trained.answers import Answers
from dlrun.trained.decided import Decided


def settle(
    planned: DecisionPlan,
    labels: Sequence[str],
    counts: Mapping[str, Sequence[int]],
    validation: Callable[[], Answers],
) -> Decided:
    """Find every number of a decision.

    Args:
        planned: the decision.
        labels: the classes in the order of the output.
        counts: the training rows of each class first, by its name.
        validation: gives the answers for the validation rows, with what is true.

    Raises:
        DecisionError: the validation rows do not show a threshold, or a class was never trained.
    """
    decision, known = planned.decision, planned.labels
    weights = dict(zip(labels, planned.term.weight or (1.0,) * len(labels), strict=True))
    shares = [counts[label][0] * weights[label] for label in known] if decision.priors else [1.0] * len(known)
    factors = dict(zip(known, decision.factors(known, shares), strict=True))
    order = [known.index(label) for label in labels]
    threshold = None
    if decision.needs_threshold:
        given = validation()
        assert given.true is not None
        chances, true = given.values.reshape(-1, len(labels)), given.true.reshape(-1)
        counted = (true >= 0) & np.isfinite(chances).all(1)
        weighed = chances[counted] * [factors[label] for label in labels]
        weighed /= weighed.sum(1, keepdims=True)
        of_known = [list(labels).index(label) for label in known]
        threshold = decision.threshold(weighed[:, of_known], np.array(order)[true[counted]], known)
    costs = decision.costs_of(known, threshold)
    rest = list(range(len(known), len(costs[0])))
    return Decided(
        decision.kind,
        tuple(labels),
        tuple(factors[label] for label in labels),
        tuple(tuple(costs[one][other] for other in (*order, *rest)) for one in order),
        threshold,
        decision.looked_for(known),
    )


def write_decisions(folder: Path, found: Mapping[str, Decided]) -> None:
    """Write the decisions of a run by output.

    Raises:
        RunError: they cannot be written.
    """
    run_folder.write_json(folder / run_folder.DECISIONS, {name: asdict(one) for name, one in found.items()})


def read_decisions(folder: Path) -> dict[str, Decided]:
    """The decisions of a run by output; none where it has none.

    Raises:
        RunError: the file is damaged.
    """
    file = folder / run_folder.DECISIONS
    if not file.exists():
        return {}
    try:
        content = json.loads(run_folder.read_text(file))
        return {name: _read(one) for name, one in content.items()}
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise RunError(f"{file} is damaged: {error}") from None


def _read(content: dict[str, Any]) -> Decided:
    lists = {"labels": tuple(content["labels"]), "factors": tuple(map(float, content["factors"]))}
    costs = tuple(tuple(map(float, row)) for row in content["costs"])
    if {len(row) for row in costs} - {len(costs), len(costs) + 1} or not len(costs) == len(lists["labels"]):
        raise ValueError("its costs are not those of its classes")
    return Decided(**{**content, **lists, "costs": costs})
