from __future__ import annotations

from typing import TYPE_CHECKING

from dlrun.components.metrics._class_score import ClassScore

if TYPE_CHECKING:
    import torch


class Recall(ClassScore):
    """The share of a class's rows that are found; also called sensitivity.

    NaN for a class that does not occur. For several binary outputs, for each output.

    Shape: TP / (TP + FN), for each class, then averaged
    Reference: Cleverdon, Factors determining the performance of indexing systems, 1966; averages as in
        sklearn.metrics.recall_score, with zero_division=nan.
    Example: recall: {average: none}
    """

    synonyms = ("recall_score", "sensitivity", "true_positive_rate", "tpr", "hit_rate")

    def ratio(
        self, hits: torch.Tensor, answers: torch.Tensor, occurrences: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return hits, occurrences
