from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._ranking import Ranking

if TYPE_CHECKING:
    import torch


class RocAuc(Ranking):
    """The probability that a row of the class gets a higher score than a row of another class; ties count as half.

    The value is exact, so all scores are kept until the end of an epoch or split: 4 bytes for each row and class, which
    `check` counts.

    With more than two classes: each class against the rest, then the mean. With several binary outputs: each output,
    then the mean. NaN where a class has no rows, or all.

    Shape: the area under the curve of true against false positives
    Reference: Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982.
    Example: roc_auc
    """

    synonyms = ("auc", "auroc", "roc_auc_score")
    needs_other_classes = True
    needs_spread = True

    def ranked(self, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
        lower = no.cumsum(0).sub_(no / 2)
        return yes @ lower / (yes.sum() * no.sum())
