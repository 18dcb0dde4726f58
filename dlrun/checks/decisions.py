"""Whether each decision has an output of classes, and what its threshold is found in."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.errors import Problem
from dlrun.language.experiment import TrainSection, as_tuple
from dlrun.plan.decisions import planned_decision
from dlrun.plan.losses import term
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError
from dlrun.plan.split_sizes import SplitSizes


def check_decisions(
    reading: Reading, planned: Plan, train: TrainSection, sizes: SplitSizes | None
) -> Iterator[Problem]:
    """Hold every decision to an output of classes; one with a threshold needs validation rows for it."""
    section, losses = reading.sections.get("decision"), as_tuple(reading.sections.get("loss"))
    chosen = as_tuple(section)
    if not chosen or not losses or reading.data.info is None:
        return
    try:
        terms = [term(loss, planned, reading.data.info) for loss in losses]
    except ObjectiveError:  # reported by check_objective
        return
    seen: dict[str, str] = {}
    for index, decision in enumerate(chosen):
        path = ("decision", index) if isinstance(section, tuple) else ("decision",)
        try:
            found = planned_decision(decision, planned, terms, reading.data.info.targets)
        except ObjectiveError as error:
            yield reading.problem(error.message, (*path, decision.kind, *error.at) if error.at else path, error.hint)
            continue
        if found.output in seen:
            message = f"the output '{found.output}' has two decisions, {seen[found.output]} and {decision.kind}"
            yield reading.problem(message, path, "keep one of them")
        seen[found.output] = decision.kind
        if not decision.needs_threshold:
            continue
        if sizes is not None and not sizes.validation:
            message = f"{decision.kind} finds its threshold in the validation rows, and there are none"
            yield reading.problem(message, path, "write `data: {split: {validation: 0.2}}`, or another share")
        elif train.refits:
            message = f"{decision.kind} finds its threshold in the validation rows, and the refit trains on them"
            yield reading.problem(message, path, "remove `train.early_stopping.then`")
