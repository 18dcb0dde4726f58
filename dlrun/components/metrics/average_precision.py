from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._ranking import Ranking

if TYPE_CHECKING:
    import torch


class AveragePrecision(Ranking):
    """The mean precision over all thresholds, each weighted by how much it adds to the recall: the area under the curve
    of precision against recall, as steps.

    The value is exact, so all scores are kept until the end of an epoch or split: 4 bytes for each row and class, which
    `check` counts.

    With more than two classes: each class against the rest, then the mean. With several binary outputs: each output,
    then the mean. NaN where a class has no rows.

    Shape: sum((R_n - R_(n-1)) * P_n) over the thresholds, from the highest score on
    Reference: Zhu, Recall, precision and average precision, 2004; as sklearn.metrics.average_precision_score.
    Example: average_precision
    """

    synonyms = ("average_precision_score", "pr_auc", "auprc", "auc_pr")

    def ranked(self, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
        yes, no = yes.flip(0), no.flip(0)
        found = yes.cumsum(0)
        precision = found / no.cumsum(0).add_(found).clamp_(min=1)
        return yes @ precision / yes.sum()
