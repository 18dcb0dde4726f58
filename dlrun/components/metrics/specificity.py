from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore

if TYPE_CHECKING:
    import torch


class Specificity(ClassScore):
    """The share of the rows without a class that are not taken for it.

    NaN for a class that all rows have. For several binary outputs, for each output.

    Shape: TN / (TN + FP), for each class, then averaged
    Reference: Yerushalmy, Statistical problems in assessing methods of medical diagnosis, 1947.
    Example: specificity
    """

    synonyms = ("true_negative_rate", "tnr", "selectivity", "specificity_score")
    needs_its_class = False
    needs_other_classes = True

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return rows - answers - occurrences + hits, rows - occurrences
