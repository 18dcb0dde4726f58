"""Which decision is for which output, and whether it suits the classes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlrun.components.decisions import Decision, DecisionError
from dlrun.plan.data_info import Target
from dlrun.plan.losses import Term
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError, output_of


@dataclass(frozen=True, slots=True)
class DecisionPlan:
    """A decision, with the output and the classes that it is for."""

    decision: Decision
    output: str
    term: Term
    """The loss that teaches the probabilities."""
    target: Target

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the data."""
        return self.target.labels or ()


def planned_decision(decision: Decision, plan: Plan, terms: Sequence[Term], targets: dict[str, Target]) -> DecisionPlan:
    """Find what a decision is for.

    Raises:
        ObjectiveError: it is for no output, or for one without probabilities of classes; its settings do not suit them.
    """
    output = output_of(decision, plan)
    found = [one for one in terms if one.output == output and one.answer.of_data]
    target = targets[found[0].answer.name] if found else None
    if target is None or target.labels is None or target.wants not in ("classes", "binary"):
        message = f"{decision.kind} decides between classes, and the output '{output}' predicts none"
        raise ObjectiveError(message, "remove `decision`, or name another `output`")
    if not found[0].loss.of_probabilities and found[0].output_form == "":
        message = f"{decision.kind} needs probabilities, and {found[0].loss.kind} teaches scores"
        raise ObjectiveError(message, "cross_entropy and binary_cross_entropy teach probabilities", ())
    try:
        decision.need(target.labels)
    except DecisionError as error:
        raise ObjectiveError(error.message, error.hint, error.at) from None
    return DecisionPlan(decision, output, found[0], target)
