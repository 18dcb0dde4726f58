from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics import OutputForm
from dlrun.components.metrics._classes import Counted
from dlrun.shapes import Shape

if TYPE_CHECKING:
    import torch


class BalancedAccuracy(Counted):
    """The mean over the classes of the share of their rows that are found: a rare class counts as much as any other.

    Classes that do not occur are left out. For several binary outputs the mean over them.

    Shape: mean(TP / (TP + FN)) over the classes
    Reference: Brodersen, Ong, Stephan and Buhmann, The balanced accuracy and its posterior distribution, 2010; as
        sklearn.metrics.balanced_accuracy_score.
    Example: balanced_accuracy
    """

    synonyms = ("balanced_accuracy_score", "average_accuracy")

    def value(
        self, measured: torch.Tensor, output: Shape, of: int | None, output_form: OutputForm = ""
    ) -> torch.Tensor:
        hits, _, occurrences, _ = measured
        return (hits / occurrences).nanmean(1).mean()
