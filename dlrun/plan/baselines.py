"""Which baselines a run is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.components.baselines import Baseline
from dlrun.language.experiment import Experiment
from dlrun.language.kinds import find, kinds
from dlrun.language.target_kind import TargetKind
from dlrun.plan.losses import Term
from dlrun.plan.network import Plan

AUTO = (
    *("majority", "mean", "linear_mmse", "affine_mmse", "logistic_regression", "gaussian_nb"),
    *("k_nearest_neighbors", "gradient_boosting"),
)
"""The kinds of which `auto` takes those that suit the target, from the simplest on."""


def no_baseline(terms: Sequence[Term], plan: Plan) -> str:
    """Why a network cannot be compared with any baseline; '' where it can."""
    if len(plan.outputs) > 1:
        return f"the network has {len(plan.outputs)} outputs"
    if not all(term.answer.of_data for term in terms):
        return "the network's output is compared with its own input"
    if not all(term.loss.predicts for term in terms):
        return "the network's outputs are no predictions of the target"
    if any(term.positions for term in terms):
        return "a row has several classes to predict"
    return ""


def suiting(wants: TargetKind) -> list[str]:
    """The kinds that predict such a target."""
    return [kind for kind in kinds("baselines") if wants in find("baselines", kind).suits]


def baselines(experiment: Experiment, plan: Plan, terms: Sequence[Term]) -> tuple[Baseline, ...]:
    """The baselines of a spec that was checked; `auto` is replaced by components."""
    chosen = experiment.baselines
    if no_baseline(terms, plan):
        return ()
    if chosen != "auto":
        return chosen  # type: ignore[return-value]
    is_table = [len(entry.shape) for entry in plan.inputs] == [1] and not any(plan.indices.values())
    suit = suiting(terms[0].wants) if is_table else []
    return tuple(find("baselines", kind)() for kind in AUTO if kind in suit)


def names(chosen: Sequence[Baseline]) -> list[str]:
    """The name of each baseline: its kind, with a number where there are several of it."""
    found: list[str] = []
    for place, baseline in enumerate(chosen):
        before = sum(earlier.kind == baseline.kind for earlier in chosen[:place])
        found.append(baseline.kind + (f"_{before + 1}" if before else ""))
    return found
