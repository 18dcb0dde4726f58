"""All losses and all metrics of a spec."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.components.losses import Loss
from dlrun.components.metrics import Metric
from dlrun.plan.data_info import DataInfo
from dlrun.plan.losses import Term, term
from dlrun.plan.metrics import Watched, watched
from dlrun.plan.network import Plan
from dlrun.plan.outputs import ObjectiveError
from dlrun.plan.split_sizes import ClassCounts


def objective(
    losses: Sequence[Loss],
    metrics: Sequence[Metric],
    plan: Plan,
    data_info: DataInfo,
    counts: ClassCounts | None = None,
) -> tuple[list[Term], list[Watched]]:
    """All losses and metrics of a spec that was checked; `counts` are the rows of each class, where they are known.

    Raises:
        ObjectiveError: a class has no training row, and so no balanced weight; the path begins with the loss's index.
    """
    terms = []
    for index, loss in enumerate(losses):
        try:
            terms.append(term(loss, plan, data_info, counts))
        except ObjectiveError as error:
            error.at = (index, loss.kind, *error.at)
            raise
    return terms, [watched(metric, plan, terms, data_info) for metric in metrics]
