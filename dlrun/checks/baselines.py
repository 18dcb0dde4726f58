"""Whether the baselines that a spec lists suit its network and its target."""

from __future__ import annotations

from collections.abc import Iterator

from dlrun.checks.reading import Reading
from dlrun.errors import Problem
from dlrun.language.experiment import as_tuple
from dlrun.language.target_kind import IN_WORDS
from dlrun.plan.baselines import no_baseline, suiting
from dlrun.plan.losses import term
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError


def check_baselines(reading: Reading, planned: Plan) -> Iterator[Problem]:
    """Refuse a listed baseline that cannot predict the target, or a list where nothing can be compared."""
    chosen, losses = reading.sections.get("baselines", "auto"), as_tuple(reading.sections.get("loss"))
    if chosen == "auto" or not chosen or not losses or reading.data.info is None:
        return
    try:
        terms = [term(loss, planned, reading.data.info) for loss in losses]
    except ObjectiveError:  # reported by check_objective
        return
    if why := no_baseline(terms, planned):
        yield reading.problem(f"there is no baseline to compare with: {why}", ("baselines",), "remove `baselines`")
        return
    wants, loss = terms[0].wants, terms[0].loss.kind
    is_list = isinstance(reading.tree.value["baselines"].value, tuple | list)
    for place, baseline in enumerate(chosen):
        if wants not in baseline.suits:
            message = f"{baseline.kind} does not predict {IN_WORDS[wants]}, as which {loss} takes the target"
            path = ("baselines", place) if is_list else ("baselines",)
            suit = suiting(wants)
            yield reading.problem(message, path, f"these do: {', '.join(suit)}" if suit else "no baseline does")
